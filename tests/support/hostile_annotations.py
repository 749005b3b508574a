"""Labelled data sets that almost fit their config, each with a part of the message that refuses it, and valid ones."""

from collections import Counter

from .hostile_classes import CLASS_CASES
from .hostile_coco import COCO_CASES
from .hostile_label_maps import LABEL_MAP_CASES
from .hostile_voc_and_folders import FOLDER_CASES, VOC_CASES
from .labelled_drafts import Case


def hostile_cases() -> list[Case]:
    """Returns all cases; their names differ."""
    cases = [*CLASS_CASES, *COCO_CASES, *LABEL_MAP_CASES, *VOC_CASES, *FOLDER_CASES]
    repeated = [name for name, count in Counter((case.kind, case.name) for case in cases).items() if count > 1]
    if repeated:
        raise ValueError(f'more than one case is named {repeated}')
    return cases
