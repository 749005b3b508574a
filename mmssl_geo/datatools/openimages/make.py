"""Makes the files of a subset from the CSV files of a download."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmssl_geo.utils.errors import UserError

from .csv_files import BOXES, CLASSES, ROTATIONS, find_file, find_optional_file, read_boxes, read_classes, read_rotated
from .subset import SubsetOptions, boxes_of, choose_classes, choose_images, instances
from .writer import OFFICIAL_NAMES, ImageFolder, remove_split, write_ids, write_split


def make_subset(
    root: str | os.PathLike,
    out: str | os.PathLike,
    options: SubsetOptions,
    images: str | None = None,
    max_missing: float = 0.01,
    log: Callable[[str], None] = print,
) -> None:
    """Chooses classes and images, and writes the files of the subset.

    Always writes `subset.json` (the choice and its sources) and `{split}_ids.txt` (the images to download). With the
    images it also writes `{split}.txt`, `instances_{split}.json` and, if some are missing, `{split}_missing.txt`.

    Args:
        root: Folder with the CSV files, or with sub-folders that hold them.
        out: Folder to write.
        options: Settings of the subset.
        images: Folder with the downloaded images, or None before the download.
        max_missing: Share of the images of a split that may be missing or unreadable.
        log: Called with every line of the report.

    Raises:
        UserError: If a file is missing or not what its name suggests, the data has too few classes or images for the
            options, too many images are missing, or `out` cannot be written.
    """
    sources = find_sources(root, ('train', 'val') if options.num_val else ('train',))
    folder = None if images is None else ImageFolder(images)
    names = read_classes(sources['classes'])
    labels = {class_id: label for label, class_id in enumerate(names)}
    classes, chosen, facts = choose(sources, labels, options, log)
    categories = {
        int(label): dict(id=number, name=list(names.values())[label], class_id=list(names)[label])
        for number, label in enumerate(classes, start=1)
    }
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
        for split in set(OFFICIAL_NAMES) - set(chosen):
            remove_split(out, split)
        for split, split_images in chosen.items():
            write_ids(out, split, split_images)
            if folder is not None:
                rows = boxes_of(read_boxes(sources['boxes'][split], labels), split_images, classes)
                counts = write_split(out, split, split_images, rows, categories, folder, max_missing)
                log(f'{split}: ' + ', '.join(f'{count} {what}' for what, count in counts.items()))
                facts[split].update(counts)
        content = dict(
            options=asdict(options), class_file=sources['classes'].name, **facts, categories=list(categories.values())
        )
        (Path(out) / 'subset.json').write_text(json.dumps(content, indent=1) + '\n')
    except OSError as error:
        raise UserError(f'cannot write the subset to {out}: {error.strerror or error}') from error


def find_sources(root: str | os.PathLike, splits: Sequence[str]) -> dict[str, Any]:
    """Finds the CSV files: `classes`, and per split `boxes` and `rotations` (None without such a file).

    Raises:
        UserError: If a required file is missing.
    """
    return dict(
        classes=find_file(root, CLASSES),
        boxes={split: find_file(root, BOXES[split]) for split in splits},
        rotations={split: find_optional_file(Path(root), ROTATIONS[split]) for split in splits},
    )


def choose(
    sources: dict[str, Any], labels: dict[str, int], options: SubsetOptions, log: Callable[[str], None]
) -> tuple[NDArray, dict[str, NDArray], dict[str, dict[str, Any]]]:
    """Chooses classes (sorted labels) and images per split; also returns statistics of every split."""
    classes, chosen, facts = None, {}, {}
    for split, path in sources['boxes'].items():
        instance_images, instance_labels = instances(read_boxes(path, labels))
        if classes is None:  # of the training split, which comes first
            classes = choose_classes(instance_labels, len(labels), options.num_classes)
        rotation_file = sources['rotations'][split]
        rotated = read_rotated(rotation_file) if rotation_file else np.empty(0, np.uint64)
        number = dict(train=options.num_train, val=options.num_val)[split]
        chosen[split], candidates = choose_images(
            instance_images, instance_labels, classes, rotated, number, split, options
        )
        facts[split] = dict(
            boxes_file=path.name,
            instances_of_all_classes=len(instance_images),
            candidates=candidates,
            chosen=number,
            rotations_file=rotation_file.name if rotation_file else None,
            rotated_in_file=len(rotated),
        )
        if rotation_file:
            rotations = f'{len(rotated)} images that are not upright are excluded'
        else:
            rotations = f'no {ROTATIONS[split][0]}: images that are not upright cannot be excluded'
        log(
            f'{split}: {number} images chosen from {candidates} candidates ({path.name}, {len(instance_images)} '
            f'instances; {rotations})'
        )
    assert classes is not None
    return classes, chosen, facts
