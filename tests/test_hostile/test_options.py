"""Campaign of impossible and border values of options: a run is refused in one sentence, or built."""

import re

import pytest

from mmssl_geo.apis.config import load_config
from mmssl_geo.apis.train import build_runner
from mmssl_geo.utils.errors import UserError
from tests.support import ROOT
from tests.support.hostile_options import all_options
from tests.support.regions import write_noise

pytestmark = pytest.mark.hostile


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    return write_noise(tmp_path_factory.mktemp('photos'))


def build(option, photos, work_dir, index):
    """Builds everything that a run needs, and calls the hooks that check before the first step."""
    base = {
        'train_dataloader.dataset.data_root': str(photos),
        'train_dataloader.dataset.data_prefix': '',
        'train_dataloader.num_workers': 0,
        'train_dataloader.batch_size': 2,
        'log_level': 'ERROR',
        'experiment_name': f'option_{index}',
    }
    cfg = load_config(ROOT / f'configs/{option.config}_quickstart.py', {**base, option.key: option.value}, work_dir)
    runner = build_runner(cfg)
    runner.call_hook('before_run')


def problem(option, photos, work_dir, index):
    """Returns what is wrong with the outcome of an option, or ''."""
    try:
        build(option, photos, work_dir, index)
    except UserError as error:
        message = str(error)
        if error.show_cause:
            return f'counts as a bug: {message}'
        if '\n' in message or option.expected is None or not re.search(option.expected, message):
            return f'message: {message}'
        return ''
    except Exception as error:
        return f'{type(error).__name__}: {error}'
    return '' if option.expected is None else 'was accepted'


def test_options(photos, tmp_path):
    options = all_options()
    found = {f'{option.config} {option.key}={option.value!r}': '' for option in options}
    assert len(found) == len(options)
    for index, (name, option) in enumerate(zip(found, options, strict=True)):
        found[name] = problem(option, photos, tmp_path, index)
    wrong = {name: text[:300] for name, text in found.items() if text}
    num_valid = sum(option.expected is None for option in options)
    print(f'options: {len(options)}, {num_valid} of them valid, {len(wrong)} wrong')
    assert not wrong
    assert len(options) >= 200
