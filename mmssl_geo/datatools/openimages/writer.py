"""Writes a split of the subset: what to download, and, once the images are there, an image list and a COCO json."""
import json
import os
from pathlib import Path

import numpy as np

from mmssl_geo.datasets.image_list import EXTENSIONS
from mmssl_geo.datasets.image_reading import UnreadableImage
from mmssl_geo.datasets.image_size import upright_size
from mmssl_geo.datasets.path_table import scan_folder
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.progress import Progress

OFFICIAL_NAMES = dict(train='train', val='validation')


def write_ids(out, split, images):
    """`{split}_ids.txt`: a line 'train/0001eeaf4aed83f9' for each image, as the site's own downloader reads them.

    Files of an earlier call that chose other images are removed: they would contradict it.
    """
    lines = ''.join(f'{OFFICIAL_NAMES[split]}/{int(image):016x}\n' for image in images)
    listing = Path(out) / f'{split}_ids.txt'
    if not listing.is_file() or listing.read_text() != lines:
        remove_split(out, split)
    listing.write_text(lines)


def remove_split(out, split):
    """Removes all files of a split."""
    for name in (f'{split}_ids.txt', f'{split}.txt', f'{split}_missing.txt', f'instances_{split}.json'):
        (Path(out) / name).unlink(missing_ok=True)


class ImageFolder:
    """Where the images lie: files called by their ImageID, anywhere below a folder.

    Raises:
        UserError: there is no such folder.
    """

    def __init__(self, root):
        self.root = root
        if not os.path.isdir(root):
            raise UserError(f'the image folder {root} does not exist: correct --images')
        names = list(scan_folder(root, EXTENSIONS))
        # of several files of one image the first in sorted order
        self.name_of = {os.path.splitext(os.path.basename(name))[0]: name for name in reversed(names)}

    def look_up(self, image):
        """Name and `(height, width)` of an image.

        Raises:
            UnreadableImage: it is not there, or its header cannot be read.
        """
        name = self.name_of.get(f'{int(image):016x}')
        if name is None:
            raise UnreadableImage(f'{int(image):016x}', 'not in the image folder')
        return name, upright_size(os.path.join(self.root, name))


def write_split(out, split, images, rows, categories, folder, max_missing):
    """`{split}.txt` (image list) and `instances_{split}.json` (COCO), of the images that are there.

    Boxes become pixels of the upright image, rounded to a hundredth; a group is `iscrowd`. Images that are missing or
    unreadable are left out and named in `{split}_missing.txt`.

    Args:
        out: folder.
        split: 'train' or 'val'.
        images: `(n,)` sorted uint64.
        rows: their boxes, as `subset.boxes_of` gives them.
        categories: COCO categories by label: label -> dict with `id`.
        folder: `ImageFolder`.
        max_missing: share of the images that may be left out.

    Returns:
        dict: `images`, `instances`, `groups`, `missing`: counts.

    Raises:
        UserError: more are missing; `{split}_missing.txt` is written, the others are not.
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
            f'than --max-missing {max_missing:g} allows, such as {missing[0]}; all are named in {listing}: download '
            f'them (ids in {out / f"{split}_ids.txt"}), or raise --max-missing')
    (out / f'{split}.txt').write_text(''.join(f'{name}\n' for name, _ in found.values()))
    entries = [dict(id=number, file_name=name, height=size[0], width=size[1])
               for number, (name, size) in enumerate(found.values(), start=1)]
    number_of = {image: number for number, image in enumerate(found, start=1)}
    sizes = {image: size for image, (_, size) in found.items()}
    annotations = [_annotation(row, sizes[int(row['image'])], number_of, categories)
                   for row in rows if int(row['image']) in found]
    for number, annotation in enumerate(annotations, start=1):
        annotation['id'] = number
    content = dict(info=dict(description='subset of Open Images, see subset.json'), licenses=[], images=entries,
                   annotations=annotations, categories=list(categories.values()))
    (out / f'instances_{split}.json').write_text(json.dumps(content) + '\n')
    groups = sum(annotation['iscrowd'] for annotation in annotations)
    return dict(images=len(found), instances=len(annotations) - groups, groups=groups, missing=len(missing))


def _look_up_all(images, folder, split):
    """Image -> (name, size) of those that are there, and a line for each that is not."""
    found, missing, progress = {}, [], Progress(len(images), f'{split} images')
    for image in images.tolist():
        try:
            found[image] = folder.look_up(image)
        except UnreadableImage as error:
            missing.append(str(error))
        progress.add(note=f'{len(missing)} missing' * bool(missing))
    progress.finish(f'{len(missing)} missing' * bool(missing))
    return found, missing


def _annotation(row, size, number_of, categories):
    height, width = size
    left, top, right, bottom = np.round(
        [row['x1'] * width, row['y1'] * height, row['x2'] * width, row['y2'] * height], 2).tolist()
    box = [round(value, 2) for value in (left, top, right - left, bottom - top)]
    return dict(image_id=number_of[int(row['image'])], category_id=categories[int(row['label'])]['id'], bbox=box,
                area=round(box[2] * box[3], 2), iscrowd=int(row['group']))
