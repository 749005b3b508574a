"""Writes a split of the subset: the images to download and, after the download, an image list and a COCO json."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmssl_geo.datasets.image_names import EXTENSIONS, scan_folder
from mmssl_geo.datasets.image_reading import UnreadableImage, upright_size
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.progress import ProgressBar

OFFICIAL_NAMES = dict(train='train', val='validation')


def write_ids(out: str | os.PathLike, split: str, images: NDArray) -> None:
    """Writes `{split}_ids.txt`, one line such as 'train/0001eeaf4aed83f9' per image, for the official downloader.

    Removes the files of an earlier call that chose other images.
    """
    lines = ''.join(f'{OFFICIAL_NAMES[split]}/{int(image):016x}\n' for image in images)
    listing = Path(out) / f'{split}_ids.txt'
    if not listing.is_file() or listing.read_text() != lines:
        remove_split(out, split)
    listing.write_text(lines)


def remove_split(out: str | os.PathLike, split: str) -> None:
    """Removes all files of a split."""
    for name in (f'{split}_ids.txt', f'{split}.txt', f'{split}_missing.txt', f'instances_{split}.json'):
        (Path(out) / name).unlink(missing_ok=True)


class ImageFolder:
    """Images named by their ImageID, anywhere below a folder.

    Args:
        root: The folder.

    Raises:
        UserError: If the folder does not exist.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        if not os.path.isdir(root):
            raise UserError(f'the image folder {root} does not exist: correct --images')
        names = list(scan_folder(root, EXTENSIONS))
        # the first file in sorted order wins if an image has several
        self.name_of = {os.path.splitext(os.path.basename(name))[0]: name for name in reversed(names)}

    def look_up(self, image: int) -> tuple[str, tuple[int, int]]:
        """Returns the file name and the size (height, width) of an image.

        Raises:
            UnreadableImage: If the image is missing, or its header cannot be read.
        """
        name = self.name_of.get(f'{int(image):016x}')
        if name is None:
            raise UnreadableImage(f'{int(image):016x}', 'not in the image folder')
        return name, upright_size(os.path.join(self.root, name))


def write_split(
    out: str | os.PathLike,
    split: str,
    images: NDArray,
    rows: NDArray,
    categories: dict[int, dict[str, Any]],
    folder: ImageFolder,
    max_missing: float,
) -> dict[str, int]:
    """Writes `{split}.txt` (image list) and `instances_{split}.json` (COCO) of the images that were found.

    Boxes are in pixels of the upright image, rounded to a hundredth; a group is `iscrowd`. Missing and unreadable
    images are skipped and listed in `{split}_missing.txt`.

    Args:
        out: Folder to write.
        split: 'train' or 'val'.
        images: Sorted images, shape (n,), uint64.
        rows: Their boxes, from `subset.boxes_of`.
        categories: COCO category of every label.
        folder: The downloaded images.
        max_missing: Share of the images that may be missing.

    Returns:
        The numbers of `images`, `instances`, `groups` and `missing` images.

    Raises:
        UserError: If more images are missing. Only `{split}_missing.txt` is written then.
    """
    out = Path(out)
    found, missing = _look_up_all(images, folder, split)
    listing = out / f'{split}_missing.txt'
    listing.write_text(''.join(f'{line}\n' for line in missing))
    if not missing:
        listing.unlink()
    if len(missing) > max_missing * len(images):
        raise UserError(
            f'{len(missing)} of the {len(images)} {split} images are missing from {folder.root} or unreadable, more '
            f'than --max-missing {max_missing:g} allows, such as {missing[0]}; {listing} lists all of them: download '
            f'them (ids in {out / f"{split}_ids.txt"}), or raise --max-missing'
        )
    (out / f'{split}.txt').write_text(''.join(f'{name}\n' for name, _ in found.values()))
    entries = [
        dict(id=number, file_name=name, height=size[0], width=size[1])
        for number, (name, size) in enumerate(found.values(), start=1)
    ]
    number_of = {image: number for number, image in enumerate(found, start=1)}
    sizes = {image: size for image, (_, size) in found.items()}
    annotations = [
        _annotation(row, sizes[int(row['image'])], number_of, categories) for row in rows if int(row['image']) in found
    ]
    for number, annotation in enumerate(annotations, start=1):
        annotation['id'] = number
    content = dict(
        info=dict(description='subset of Open Images, see subset.json'),
        licenses=[],
        images=entries,
        annotations=annotations,
        categories=list(categories.values()),
    )
    (out / f'instances_{split}.json').write_text(json.dumps(content) + '\n')
    groups = sum(annotation['iscrowd'] for annotation in annotations)
    return dict(images=len(found), instances=len(annotations) - groups, groups=groups, missing=len(missing))


def _look_up_all(
    images: NDArray, folder: ImageFolder, split: str
) -> tuple[dict[int, tuple[str, tuple[int, int]]], list[str]]:
    """Returns name and size of every image that was found, and a line for every other image."""
    found: dict[int, tuple[str, tuple[int, int]]] = {}
    missing: list[str] = []
    progress = ProgressBar(len(images), f'{split} images')
    for image in images.tolist():
        try:
            found[image] = folder.look_up(image)
        except UnreadableImage as error:
            missing.append(str(error))
        progress.set_postfix_str(f'{len(missing)} missing' * bool(missing), refresh=False)
        progress.update()
    progress.set_postfix_str(f'{len(missing)} missing' * bool(missing), refresh=False)
    progress.close()
    return found, missing


def _annotation(
    row: NDArray, size: tuple[int, int], number_of: dict[int, int], categories: dict[int, dict[str, Any]]
) -> dict[str, Any]:
    height, width = size
    left, top, right, bottom = np.round(
        [row['x1'] * width, row['y1'] * height, row['x2'] * width, row['y2'] * height], 2
    ).tolist()
    box = [round(value, 2) for value in (left, top, right - left, bottom - top)]
    return dict(
        image_id=number_of[int(row['image'])],
        category_id=categories[int(row['label'])]['id'],
        bbox=box,
        area=round(box[2] * box[3], 2),
        iscrowd=int(row['group']),
    )
