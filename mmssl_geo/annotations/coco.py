"""COCO annotation files: reading, and everything in them that a detector or COCO's metric would trip over."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmssl_geo.utils.errors import UserError

from .files import some

KEYS = {
    'images': ('id', 'file_name', 'height', 'width'),
    'annotations': ('id', 'image_id', 'category_id', 'bbox', 'area'),
    'categories': ('id', 'name'),
}
"""Lists of an annotation file, with the keys that mmdet reads of each entry."""
SINGULAR = {'images': 'image', 'annotations': 'annotation', 'categories': 'category'}


@dataclass(frozen=True)
class CocoFile:
    """A COCO annotation file whose structure is right.

    Attributes:
        path: The file.
        images: Images by their id.
        categories: Categories, in the order of the file, which is that of mmdet's labels.
        annotations: Annotations.
    """

    path: Path
    images: dict[Any, dict[str, Any]]
    categories: list[dict[str, Any]]
    annotations: list[dict[str, Any]]

    @property
    def names(self) -> list[str]:
        """Names of the categories."""
        return [one['name'] for one in self.categories]


def read_coco(path: Path) -> CocoFile:
    """Reads a COCO annotation file; a file that does not change is read once.

    Raises:
        UserError: If it is not JSON, a list or key is missing, an id or a category name is used twice, or an annotation
            names no image or category of the file.
    """
    stat = path.stat()
    return _read(path, stat.st_mtime_ns, stat.st_size)


def forget_files() -> None:
    """Frees the memory of the files that were read."""
    _read.cache_clear()


@lru_cache(maxsize=4)
def _read(path: Path, mtime: int, size: int) -> CocoFile:
    content = _parse(path)
    for key, needed in KEYS.items():
        _check_entries(path, key, content[key], needed)
    for key in KEYS:
        _refuse_repeated(path, f'{SINGULAR[key]} id', [one['id'] for one in content[key]])
    _refuse_repeated(path, 'category name', [one['name'] for one in content['categories']])
    coco = CocoFile(path, {one['id']: one for one in content['images']}, content['categories'], content['annotations'])
    _check_references(coco)
    return coco


def _parse(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    if not data.strip():
        raise UserError(f'{path}: the file is empty')
    if data.startswith(b'\xef\xbb\xbf'):
        raise UserError(
            f'{path}: starts with a byte-order mark, which pycocotools does not read: save it as plain UTF-8'
        )
    try:
        content = json.loads(data.decode('utf-8'))
    except UnicodeDecodeError:
        raise UserError(f'{path}: is not UTF-8 text') from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise UserError(f'{path}: is not valid JSON ({error}); the file may be truncated') from None
    if not isinstance(content, dict):
        results = isinstance(content, list) and content and isinstance(content[0], dict) and 'score' in content[0]
        kind = 'a list of results' if results else f'a {type(content).__name__}'
        raise UserError(
            f'{path}: not a COCO annotation file: contains {kind} instead of images, annotations, categories'
        )
    for key in KEYS:
        if key not in content:
            raise UserError(f'{path}: not a COCO annotation file: has no {key!r}')
        if not isinstance(content[key], list):
            raise UserError(f'{path}: {key!r} must be a list, got a {type(content[key]).__name__}')
    for key in ('images', 'categories'):
        if not content[key]:
            raise UserError(f'{path}: its list of {key} is empty')
    return content


def _check_entries(path: Path, key: str, entries: Sequence[Any], needed: Sequence[str]) -> None:
    for index, one in enumerate(entries):
        if not isinstance(one, dict):
            raise UserError(f'{path}: entry {index} of {key!r} must be a dict, got a {type(one).__name__}')
        for name in needed:
            # files of LVIS name the images by their address
            if one.get(name) is None and not (name == 'file_name' and 'coco_url' in one):
                raise UserError(f'{path}: {SINGULAR[key]} {one.get("id", index)!r} has no {name!r}')
        if not isinstance(one['id'], int | float | str):
            raise UserError(f'{path}: the id of a {SINGULAR[key]} must be a number, got {one["id"]!r}')
        for name in ('height', 'width'):
            if name in needed and not (isinstance(one[name], int | float) and one[name] > 0):
                raise UserError(
                    f'{path}: image {one["id"]!r} has {name} {one[name]!r}, which must be a positive number'
                )
        for name in ('name', 'file_name'):
            if name in needed and name in one and not (isinstance(one[name], str) and one[name].strip()):
                raise UserError(f'{path}: {SINGULAR[key]} {one["id"]!r} has {name} {one[name]!r}, which must be a text')


def _refuse_repeated(path: Path, what: str, values: Sequence[Any]) -> None:
    if len(set(values)) < len(values):
        repeated = [value for value, count in Counter(values).items() if count > 1]
        raise UserError(f'{path}: {what} {some(repeated, quoted=True)} is used more than once')


def _check_references(coco: CocoFile) -> None:
    categories = {one['id'] for one in coco.categories}
    for key, known in (('image_id', set(coco.images)), ('category_id', categories)):
        wrong = [one for one in coco.annotations if not _is_known(one[key], known)]
        if wrong:
            value = wrong[0][key]
            texts = {str(one) for one in known}
            hint = ' (numbers and texts differ)' if str(value) in texts and not _is_known(value, known) else ''
            raise UserError(
                f'{coco.path}: {len(wrong)} of {len(coco.annotations)} annotations have {key}s that the file does not '
                f'list, such as {value!r}{hint}'
            )


def _is_known(value: Any, known: set[Any]) -> bool:  # noqa: ANN401  (any value of JSON)
    return isinstance(value, int | float | str) and value in known


def with_masks(steps: Sequence[Mapping[str, Any]]) -> bool:
    """Returns whether a pipeline reads masks."""
    return any(step.get('with_mask') for step in steps)
