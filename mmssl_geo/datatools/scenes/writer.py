"""Writes splits of scenes as JPEG, COCO instances and semantic PNG maps."""

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.progress import ProgressBar

from .options import CLASSES, SceneOptions
from .scene import make_scene

MARKER = 'scenes.json'
SUBFOLDERS = ('images', 'annotations', 'semantic')
SPLITS = ('train', 'val')
FORMAT_VERSION = 1


def write_scenes(
    out: str | os.PathLike,
    options: SceneOptions,
    num_train: int,
    num_val: int = 0,
    workers: int = 0,
    overwrite: bool = False,
) -> None:
    """Writes `num_train` + `num_val` scenes. The same options give the same bytes for any number of workers.

    Layout::

        OUT/images/{train,val}/000000.jpg
        OUT/annotations/instances_{train,val}.json    COCO: x, y, w, h boxes, compressed RLE masks
        OUT/semantic/{train,val}/000000.png           8-bit class ids, 0 is the background
        OUT/scenes.json                               the settings and the class names

    A mask holds the visible pixels of an object; its box is their tight half-open bounding box.

    Args:
        out: Folder to write. An earlier output of this function is replaced.
        options: Settings of the set.
        num_train: Number of training scenes.
        num_val: Number of validation scenes; with 0 there is no validation split.
        workers: Number of drawing processes; 0 draws in the calling process.
        overwrite: Allow a non-empty folder that is not an earlier output. Its `images`, `annotations` and `semantic`
            are deleted.

    Raises:
        UserError: If a number is invalid, or the folder must not or cannot be written.
    """
    if num_train < 1 or num_val < 0:
        raise UserError(
            f'cannot generate {num_train} training and {num_val} validation scenes; choose at least 1 and at least 0'
        )
    if workers < 0:
        raise UserError(f'the number of workers is {workers}; choose 0 or more')
    out = Path(out)
    try:
        _prepare(out, overwrite)
        for number, (split, count) in enumerate(zip(SPLITS, (num_train, num_val), strict=True)):
            if count:
                _write_split(out, split, options, number, count, workers)
        _write_json(out / MARKER, _settings(options, num_train, num_val))
    except OSError as error:
        raise UserError(f'cannot write scenes to {out}: {error.strerror or error}') from error


def _prepare(out: Path, overwrite: bool) -> None:
    """Empties an earlier output, refuses any other non-empty folder, and writes the marker."""
    if out.exists() and not out.is_dir():
        raise UserError(f'{out} is a file; pass a folder for the scenes')
    foreign = out.is_dir() and any(out.iterdir()) and not (out / MARKER).is_file()
    if foreign and not overwrite:
        raise UserError(
            f'{out} is not empty and was not written by this tool; pass another folder, '
            f'or pass --overwrite to delete its {", ".join(SUBFOLDERS)} and write there'
        )
    for name in SUBFOLDERS:
        if (out / name).exists():
            shutil.rmtree(out / name)
    out.mkdir(parents=True, exist_ok=True)
    _write_json(out / MARKER, dict(version=FORMAT_VERSION, complete=False))


def _settings(options: SceneOptions, num_train: int, num_val: int) -> dict[str, Any]:
    names = ('background',) + CLASSES[: options.classes]
    return dict(
        version=FORMAT_VERSION,
        complete=True,
        num_train=num_train,
        num_val=num_val,
        class_ids={name: k for k, name in enumerate(names)},
        **asdict(options),
    )


def _write_split(out: Path, split: str, options: SceneOptions, number: int, count: int, workers: int) -> None:
    (out / 'images' / split).mkdir(parents=True)
    (out / 'semantic' / split).mkdir(parents=True)
    (out / 'annotations').mkdir(exist_ok=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    progress = ProgressBar(count, f'{split} scenes')
    draw = partial(_write_scene, out, split, options, number)
    for index, objects in enumerate(_map(draw, count, workers)):
        progress.update()
        images.append(dict(id=index + 1, file_name=f'{index:06d}.jpg', width=options.size, height=options.size))
        for annotation in objects:
            annotations.append(dict(id=len(annotations) + 1, image_id=index + 1, iscrowd=0, **annotation))
    progress.close()
    _write_json(
        out / 'annotations' / f'instances_{split}.json',
        dict(
            info=dict(description='generated scenes', version=str(FORMAT_VERSION)),
            licenses=[],
            images=images,
            annotations=annotations,
            categories=[
                dict(id=k + 1, name=name, supercategory='object') for k, name in enumerate(CLASSES[: options.classes])
            ],
        ),
    )


def _map(function: Callable[[int], list], count: int, workers: int) -> Iterator[list]:
    """Yields `function(0)` to `function(count - 1)` in order."""
    if workers == 0:
        yield from map(function, range(count))
        return
    with multiprocessing.get_context().Pool(min(workers, count)) as pool:
        yield from pool.imap(function, range(count), chunksize=8)


def _write_scene(out: Path, split: str, options: SceneOptions, number: int, index: int) -> list[dict[str, Any]]:
    """Writes the image and the semantic map of one scene; returns its COCO annotations without ids."""
    scene = make_scene(options, number, index)
    name = f'{index:06d}'
    Image.fromarray(scene.image).save(out / 'images' / split / f'{name}.jpg', quality=92)
    Image.fromarray(scene.semantic).save(out / 'semantic' / split / f'{name}.png')
    return [_annotation(scene.instances == k, label) for k, label in enumerate(scene.labels, start=1)]


def _annotation(mask: NDArray, label: int) -> dict[str, Any]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x, y = int(columns[0]), int(rows[0])
    rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return dict(
        category_id=label,
        bbox=[x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y],
        area=int(mask.sum()),
        segmentation=dict(size=list(mask.shape), counts=rle['counts'].decode('ascii')),
    )


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content) + '\n')
