"""From the CSV files of a download to the files of a subset."""
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from mmssl_geo.utils.errors import UserError

from .csv_files import BOXES, CLASSES, ROTATIONS, find_file, read_boxes, read_classes, read_rotated
from .subset import boxes_of, choose_classes, choose_images, instances
from .writer import OFFICIAL_NAMES, ImageFolder, remove_split, write_ids, write_split


def make_subset(root, out, options, images=None, max_missing=0.01, say=print):
    """Chooses classes and images, and writes what can be written.

    Always `subset.json` (what was chosen from what) and `{split}_ids.txt` (what to download); with the images also
    `{split}.txt`, `instances_{split}.json` and, where some are missing, `{split}_missing.txt`.

    Args:
        root: folder with the CSV files, or with folders that hold them.
        out: folder to write.
        options: `SubsetOptions`.
        images: folder with the images; None: not there yet.
        max_missing: share of a split's images that may be missing or unreadable.
        say: takes lines about what is found.

    Raises:
        UserError: a file is missing or not what its name says, the options ask for more than there is, too many
            images are missing, or `out` cannot be written.
    """
    sources = find_sources(root, ('train', 'val') if options.num_val else ('train', ))
    folder = None if images is None else ImageFolder(images)
    names = read_classes(sources['classes'])
    labels = {class_id: label for label, class_id in enumerate(names)}
    classes, chosen, facts = choose(sources, labels, options, say)
    categories = {int(label): dict(id=number, name=list(names.values())[label], class_id=list(names)[label])
                  for number, label in enumerate(classes, start=1)}
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
        for split in set(OFFICIAL_NAMES) - set(chosen):
            remove_split(out, split)
        for split, split_images in chosen.items():
            write_ids(out, split, split_images)
            if folder is not None:
                rows = boxes_of(read_boxes(sources['boxes'][split], labels), split_images, classes)
                counts = write_split(out, split, split_images, rows, categories, folder, max_missing)
                say(f'{split}: ' + ', '.join(f'{count} {what}' for what, count in counts.items()))
                facts[split].update(counts)
        content = dict(options=asdict(options), class_file=sources['classes'].name, **facts,
                       categories=list(categories.values()))
        (Path(out) / 'subset.json').write_text(json.dumps(content, indent=1) + '\n')
    except OSError as error:
        raise UserError(f'cannot write the subset to {out}: {error.strerror or error}') from error


def find_sources(root, splits):
    """The CSV files: `classes`, and by split `boxes` and `rotations` (None where there is no such file).

    Raises:
        UserError: one that is needed is missing.
    """
    return dict(
        classes=find_file(root, CLASSES), boxes={split: find_file(root, BOXES[split]) for split in splits},
        rotations={split: find_file(root, ROTATIONS[split], needed=False) for split in splits})


def choose(sources, labels, options, say):
    """Classes (sorted labels), images by split, and facts by split about what they were chosen from."""
    classes, chosen, facts = None, {}, {}
    for split, path in sources['boxes'].items():
        instance_images, instance_labels = instances(read_boxes(path, labels))
        if classes is None:  # of the training split, which comes first
            classes = choose_classes(instance_labels, len(labels), options.num_classes)
        rotation_file = sources['rotations'][split]
        rotated = read_rotated(rotation_file) if rotation_file else np.empty(0, np.uint64)
        number = dict(train=options.num_train, val=options.num_val)[split]
        chosen[split], candidates = choose_images(
            instance_images, instance_labels, classes, rotated, number, split, options)
        facts[split] = dict(
            boxes_file=path.name, instances_of_all_classes=len(instance_images), candidates=candidates, chosen=number,
            rotations_file=rotation_file.name if rotation_file else None, rotated_in_file=len(rotated))
        say(f'{split}: {number} images chosen of {candidates} that fit ({path.name}, {len(instance_images)} instances'
            + (f'; {len(rotated)} images that do not stand upright are left out)' if rotation_file else
               f'; no {ROTATIONS[split][0]}: images that do not stand upright are not left out)'))
    return classes, chosen, facts
