"""Campaign of labelled data that almost fit a config."""

import re

import pytest
from mmengine.config import Config

from mmssl_geo.annotations import data_problems
from tests.support import ROOT
from tests.support import hostile_annotations as make

pytestmark = pytest.mark.hostile
WRITERS = {
    make.DETECTION: (make.write_detection, make.detection_options),
    make.SEGMENTATION: (make.write_segmentation, make.segmentation_options),
}


def problem(data_set, root):
    """Returns what is wrong with the outcome of a data set, or ''."""
    write, options = WRITERS[data_set.config]
    root.mkdir()
    write(root)
    data_set.change(root)
    cfg = Config.fromfile(ROOT / 'configs' / 'downstream' / data_set.config)
    changes = dict(data_set.options)
    wrapper = changes.pop('wrap', None)
    cfg.merge_from_dict(options(root))
    cfg.merge_from_dict(changes)
    if wrapper:
        inner = cfg.train_dataloader.dataset
        key = 'datasets' if wrapper['type'] == 'ConcatDataset' else 'dataset'
        cfg.train_dataloader.dataset = {**wrapper, key: [inner] if key == 'datasets' else inner}
    try:
        problems = data_problems(cfg, ['train'])
    except Exception as error:
        return f'{type(error).__name__}: {error}'
    if data_set.expected is None:
        return f'refused: {problems}' if problems else ''
    return '' if any(re.search(data_set.expected, text) for text in problems) else f'problems: {problems}'


def test_annotations(tmp_path):
    sets = make.all_sets()
    found = {data_set.name: '' for data_set in sets}
    assert len(found) == len(sets)
    for index, data_set in enumerate(sets):
        found[data_set.name] = problem(data_set, tmp_path / str(index))
    wrong = {name: text[:300] for name, text in found.items() if text}
    num_valid = sum(data_set.expected is None for data_set in sets)
    print(f'annotations: {len(sets)} data sets, {num_valid} of them valid, {len(wrong)} wrong')
    assert not wrong, '\n'.join(f'{name}: {text}' for name, text in wrong.items())
    assert len(sets) >= 120
