"""Writes splits of scenes as JPEG, COCO instances and semantic PNG maps."""
import json
import multiprocessing
import shutil
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from mmssl_geo.utils.errors import UserError

from .options import CLASSES
from .scene import make_scene

MARKER = 'scenes.json'
SUBFOLDERS = ('images', 'annotations', 'semantic')
SPLITS = ('train', 'val')
FORMAT_VERSION = 1


def write_scenes(out, options, num_train, num_val=0, workers=0, overwrite=False):
    """Writes `num_train` + `num_val` scenes; the same options give the same bytes, however many workers there are.

    Layout::

        OUT/images/{train,val}/000000.jpg
        OUT/annotations/instances_{train,val}.json    COCO: x, y, w, h boxes, compressed RLE masks
        OUT/semantic/{train,val}/000000.png           8-bit class ids, 0 is background
        OUT/scenes.json                               the settings and the names of the classes

    A box is the tight half-open box of an object's visible pixels, its mask those pixels.

    Args:
        out: folder to write; an earlier output of this function is replaced.
        options: `SceneOptions`.
        num_train, num_val: scenes of the two splits; a split of 0 scenes is not written.
        workers: processes that draw; 0 draws in this one.
        overwrite: allows a non-empty folder that is not an earlier output; its `images`, `annotations` and
            `semantic` are deleted.

    Raises:
        UserError: an impossible number, or a folder that must not or cannot be written.
    """
    if num_train < 1 or num_val < 0:
        raise UserError(f'{num_train} training and {num_val} validation scenes cannot be made; '
                        'choose at least 1 and at least 0')
    if workers < 0:
        raise UserError(f'{workers} workers cannot draw; choose 0 or more')
    out = Path(out)
    try:
        _prepare(out, overwrite)
        for number, (split, count) in enumerate(zip(SPLITS, (num_train, num_val), strict=True)):
            if count:
                _write_split(out, split, options, number, count, workers)
        _write_json(out / MARKER, _settings(options, num_train, num_val))
    except OSError as error:
        raise UserError(f'cannot write scenes to {out}: {error.strerror or error}') from error


def _prepare(out, overwrite):
    """Empties an earlier output (or leaves a strange folder alone), and marks the folder as ours."""
    if out.exists() and not out.is_dir():
        raise UserError(f'{out} is a file; give a folder for the scenes')
    foreign = out.is_dir() and any(out.iterdir()) and not (out / MARKER).is_file()
    if foreign and not overwrite:
        raise UserError(f'{out} is not empty and was not made by this tool; give another folder, '
                        f'or --overwrite to delete its {", ".join(SUBFOLDERS)} and write there')
    for name in SUBFOLDERS:
        if (out / name).exists():
            shutil.rmtree(out / name)
    out.mkdir(parents=True, exist_ok=True)
    _write_json(out / MARKER, dict(version=FORMAT_VERSION, complete=False))


def _settings(options, num_train, num_val):
    names = ('background', ) + CLASSES[:options.classes]
    return dict(
        version=FORMAT_VERSION, complete=True, num_train=num_train, num_val=num_val,
        class_ids={name: k for k, name in enumerate(names)}, **asdict(options))


def _write_split(out, split, options, number, count, workers):
    (out / 'images' / split).mkdir(parents=True)
    (out / 'semantic' / split).mkdir(parents=True)
    (out / 'annotations').mkdir(exist_ok=True)
    images, annotations = [], []
    draw = partial(_write_scene, out, split, options, number)
    for index, objects in enumerate(_progress(_map(draw, count, workers), count, split)):
        images.append(dict(id=index + 1, file_name=f'{index:06d}.jpg', width=options.size, height=options.size))
        for annotation in objects:
            annotations.append(dict(id=len(annotations) + 1, image_id=index + 1, iscrowd=0, **annotation))
    _write_json(out / 'annotations' / f'instances_{split}.json', dict(
        info=dict(description='generated scenes', version=str(FORMAT_VERSION)), licenses=[],
        images=images, annotations=annotations,
        categories=[dict(id=k + 1, name=name, supercategory='object')
                    for k, name in enumerate(CLASSES[:options.classes])]))


def _map(function, count, workers):
    """Results of `function(0)` to `function(count - 1)`, in order."""
    if workers == 0:
        yield from map(function, range(count))
        return
    with multiprocessing.get_context().Pool(min(workers, count)) as pool:
        yield from pool.imap(function, range(count), chunksize=8)


def _write_scene(out, split, options, number, index):
    """Writes image and semantic map of one scene; returns its COCO annotations, yet without ids."""
    scene = make_scene(options, number, index)
    name = f'{index:06d}'
    Image.fromarray(scene.image).save(out / 'images' / split / f'{name}.jpg', quality=92)
    Image.fromarray(scene.semantic).save(out / 'semantic' / split / f'{name}.png')
    return [_annotation(scene.instances == k, label) for k, label in enumerate(scene.labels, start=1)]


def _annotation(mask, label):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x, y = int(columns[0]), int(rows[0])
    rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return dict(
        category_id=label, bbox=[x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y], area=int(mask.sum()),
        segmentation=dict(size=list(mask.shape), counts=rle['counts'].decode('ascii')))


def _write_json(path, content):
    path.write_text(json.dumps(content) + '\n')


def _progress(items, count, split):
    """Passes `items` on and says on stderr how many are done: in twenty steps on a terminal, else at the end."""
    step = max(count // 20, 1)
    for done, item in enumerate(items, start=1):
        yield item
        if done == count or (done % step == 0 and sys.stderr.isatty()):
            print(f'\r{split}: {done}/{count} scenes', end='\n' if done == count else '', file=sys.stderr, flush=True)
