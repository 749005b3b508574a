"""Label maps: images whose pixels are class indices."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .datasets import LabelledDataset
from .files import MAX_NAMES, image_size, missing_files, sample, some

MAX_SEARCHED = 2000
"""Label maps that are opened to find a second class, if the sample has only one."""
LOSSY = ('.jpg', '.jpeg')


def read_names(path: Path) -> tuple[list[str], list[str]]:
    """Reads a list of file names, one a line.

    Returns:
        The names, and one sentence if the list cannot be used.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding='utf-8').splitlines()]
    except UnicodeDecodeError:
        return [], [f'{path}: is not UTF-8 text']
    if not any(lines):
        return [], [f'{path}: lists no image']
    if '' in lines:
        return [], [f'{path}: line {lines.index("") + 1} is empty']
    return lines, []


def label_map_problems(dataset: LabelledDataset, classes: Sequence[str]) -> list[str]:
    """Checks images and label maps, and size and labels of a sample of them."""
    image_suffix, label_suffix = dataset.option('img_suffix', '.jpg'), dataset.option('seg_map_suffix', '.png')
    image_folder, label_folder = dataset.path('img_path'), dataset.path('seg_map_path')
    if 'ann_file' in dataset.paths:
        names, problems = read_names(dataset.path('ann_file'))
    else:
        found = (path for path in image_folder.rglob('*') if path.name.endswith(image_suffix))
        names = sorted(str(path.relative_to(image_folder))[: -len(image_suffix)] for path in found)
        problems = [] if names else [_no_image(image_folder, image_suffix)]
    if problems:
        return problems
    images = [image_folder / (name + image_suffix) for name in names]
    labels = [label_folder / (name + label_suffix) for name in names]
    problems = missing_files(images, f'images in {image_folder}')
    missing = missing_files(labels, f'label maps in {label_folder}')
    if missing and not any(label.is_file() for label in labels):
        missing[0] += _suffix_hint(labels[0], label_suffix)
    problems += missing or _zero_label_problem(dataset)
    return problems or _content_problems(dataset, classes, images, labels)


def _no_image(folder: Path, suffix: str) -> str:
    others = sorted({path.suffix for path in folder.rglob('*') if path.is_file() and path.suffix})
    hint = f' (but {some(["*" + one for one in others])}: set img_suffix)' if others else ''
    return f'{folder}: contains no image *{suffix}{hint}'


def _suffix_hint(missing: Path, suffix: str) -> str:
    stem = missing.name[: -len(suffix)]
    folder = missing.parent
    near = sorted(path.name for path in folder.glob('*') if path.name.startswith(stem)) if folder.is_dir() else []
    return f"; there is {near[0]}: set seg_map_suffix='{near[0][len(stem) :]}'" if near else ''


def _zero_label_problem(dataset: LabelledDataset) -> list[str]:
    """Compares `reduce_zero_label` of the data set with that of its pipeline, which mmseg does at the first image."""
    own = bool(dataset.option('reduce_zero_label', False))
    for step in dataset.steps_of('LoadAnnotations'):
        value = step.get('reduce_zero_label')
        if value is not None and bool(value) != own:
            return [
                f'{dataset.split}_dataloader.dataset: reduce_zero_label is {own} for {dataset.name} but {value} in '
                'LoadAnnotations: set both alike'
            ]
    return []


def _content_problems(
    dataset: LabelledDataset, classes: Sequence[str], images: Sequence[Path], labels: Sequence[Path]
) -> list[str]:
    stored = getattr(dataset.kind, 'METAINFO', {}).get('classes')
    unknown = [name for name in classes if stored and name not in stored]
    if unknown:
        return [
            f'wrong class list: {dataset.name} stores labels of its own classes, without '
            f'{some(unknown, quoted=True)}; '
            "for other classes use type='BaseSegDataset'"
        ]
    # with `reduce_zero_label` 0 is ignored and the classes start at 1
    reduced = bool(dataset.option('reduce_zero_label', False))
    max_label = len(stored or classes) - (0 if reduced else 1)
    ignored = {dataset.option('ignore_index', 255), 255} | ({0} if reduced else set())
    problems: list[str] = []
    seen: set[int] = set()
    for image, path in sample(list(zip(images, labels, strict=True))):
        problem, values = _label_problem(path, max_label, ignored)
        seen |= values
        problem = problem or _size_problem(image, path)
        if problem:
            problems.append(f'{path}: {problem}')
    if problems:
        return problems[:MAX_NAMES]
    return _variety_problem(dataset, classes, labels, seen, ignored)


def _label_problem(path: Path, max_label: int, ignored: set[int]) -> tuple[str, set[int]]:
    """Returns what is wrong with a label map, and its labels."""
    try:
        with Image.open(path) as image:
            mode, labels = image.mode, np.asarray(image)
    except (OSError, ValueError, SyntaxError) as error:  # SyntaxError: pillow's of a broken PNG
        return f'not readable ({error})', set()
    if labels.ndim != 2:
        return f'a colour image ({mode}), not a map of class indices: convert the colours to indices', set()
    if not (np.issubdtype(labels.dtype, np.integer) or labels.dtype == bool):
        return f'has labels of type {labels.dtype}, not integers', set()
    values = {int(value) for value in _unique(labels)}
    wrong = sorted(value for value in values if not 0 <= value <= max_label and value not in ignored)
    if not wrong:
        return '', values
    problem = f'wrong class list: label {wrong[0]}; the config has 0 to {max_label}, and 255 to ignore'
    if path.suffix.lower() in LOSSY:
        problem += '; JPEG changes labels: save label maps as PNG'
    elif wrong == [max_label + 1] and 0 not in values and 0 not in ignored:
        problem += '; if the classes start at 1, set reduce_zero_label=True'
    elif mode == 'L' and len(wrong) > 3 and len(values) > 3 * (max_label + 1):
        problem += '; it looks like a grey photo'
    return problem, values


def _unique(labels: NDArray) -> NDArray:
    return np.flatnonzero(np.bincount(labels.ravel())) if labels.dtype in (np.uint8, bool) else np.unique(labels)


def _size_problem(image: Path, label: Path) -> str:
    try:
        (size, swapped), (label_size, _) = image_size(image), image_size(label)
    except OSError as error:
        return f'its image {image} is not readable ({error})'
    if size == label_size:
        return ''
    turned = swapped and size == label_size[::-1]
    hint = '; the EXIF orientation of the image turns it when it is read: save the images upright' if turned else ''
    return f'has height and width {list(label_size)}, but its image {image} has {list(size)}{hint}'


def _variety_problem(
    dataset: LabelledDataset, classes: Sequence[str], labels: Sequence[Path], seen: set[int], ignored: set[int]
) -> list[str]:
    """Returns a sentence if the label maps of a split hold at most one class."""
    needed = min(2, len(classes))
    for path in labels[:MAX_SEARCHED]:
        if len(seen - ignored) >= needed:
            return []
        seen |= _label_problem(path, 255, ignored)[1]
    kept = seen - ignored
    if len(kept) >= needed:
        return []
    folder = dataset.path('seg_map_path')
    if not kept:
        return [f'{folder}: no label map has an annotation; all pixels are {some(sorted(seen))}, which is ignored']
    hint = ': masks of 0 and 255 must have 1 instead of 255, which is ignored' if 255 in seen else ''
    return [f'{folder}: all label maps have only the label {min(kept)}, for {len(classes)} classes{hint}']
