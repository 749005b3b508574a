"""Features of a folder of images, shard by shard."""
import hashlib
from pathlib import Path

from torch.utils.data import DataLoader

from mmssl_geo.datasets.image_list import EXTENSIONS
from mmssl_geo.datasets.path_table import PathTable, scan_folder
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.progress import Progress


def list_names(source):
    """The image folder and the names of its images, with all folders below, or those of a .txt list.

    Args:
        source: folder, or a .txt file of one path a line, absolute or relative to the file's folder.

    Returns:
        tuple: folder, PathTable.

    Raises:
        UserError: the source is missing, of another kind, or names no image.
    """
    source = Path(source).expanduser()
    if source.is_dir():
        root, names = source, scan_folder(str(source), EXTENSIONS)
    elif source.is_file() and source.suffix.lower() == '.txt':
        root, names = source.parent, PathTable.from_lines(source.read_bytes())
    else:
        raise UserError(f'--images {source}: there is no such folder, nor such a .txt list of paths')
    if not len(names):
        raise UserError(f'--images {source}: no image found (ending in {", ".join(EXTENSIONS)})')
    return str(root), names


def fingerprint(data):
    """Short name of bytes."""
    return hashlib.sha256(data).hexdigest()[:16]


def extract(images, features, shards, batch_size, workers):
    """Makes the shards that are missing, or lack an image that can be read now.

    Nothing larger than one shard is held in memory.

    Args:
        images: WholeImages
        features: FrozenFeatures
        shards: FeatureShards
        batch_size: images at a time.
        workers: processes that read images.
    """
    missing = [number for number in range(shards.count) if _is_to_make(number, images, shards)]
    batches = [(number, part) for number in missing for part in _split(shards.images(number), batch_size)]
    loader = DataLoader(
        images, batch_sampler=[part for _, part in batches], num_workers=workers, collate_fn=list)
    progress = Progress(len(images), 'images', already=len(images) - sum(len(part) for _, part in batches))
    parts, names, unreadable = [features.empty()], [], []
    for (number, part), batch in zip(batches, loader, strict=True):
        readable = [image for image in batch if image.view is not None]
        if readable:
            parts.append(features(readable, len(names)))
        names += [image.name for image in readable]
        unreadable += [(image.name, image.reason) for image in batch if image.view is None]
        if part[-1] == shards.images(number)[-1]:
            shards.write(number, parts, names, unreadable)
            parts, names, unreadable = [features.empty()], [], []
        progress.add(len(batch))
    progress.finish()


def _is_to_make(number, images, shards):
    if not shards.path(number).exists():
        return True
    lost = shards.unreadable(number)
    again = [index for index in shards.images(number) if images.names[index] in lost] if lost else []
    return any(images[index].view is not None for index in again)


def _split(indices, size):
    return [indices[begin:begin + size] for begin in range(0, len(indices), size)]
