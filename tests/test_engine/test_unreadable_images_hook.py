import logging
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

from mmssl_geo.datasets.image_list import ImageListDataset
from mmssl_geo.engine.hooks import unreadable_images_hook
from mmssl_geo.engine.hooks.unreadable_images_hook import UnreadableImagesHook
from mmssl_geo.utils.errors import UserError


class Dataset(list):
    max_unreadable = 0.02


@pytest.fixture
def runner():
    return SimpleNamespace(
        logger=logging.getLogger('unreadable'), train_dataloader=SimpleNamespace(dataset=Dataset(range(100)))
    )


def step(hook, runner, *unreadable):
    hook.after_train_iter(runner, 0, dict(unreadable=list(unreadable)))


def test_each_file_is_logged_once(runner, caplog):
    hook = UnreadableImagesHook()
    step(hook, runner, '', 'a.jpg: truncated', '')
    step(hook, runner, 'a.jpg: truncated\nb.jpg: empty', 'b.jpg: empty')
    assert [record.getMessage().split(': ', 1)[1] for record in caplog.records] == ['a.jpg: truncated', 'b.jpg: empty']
    assert all(record.levelno == logging.WARNING for record in caplog.records)


def test_stops_only_above_the_fraction(runner):
    hook = UnreadableImagesHook()
    step(hook, runner, 'a: x', 'b: x')  # 2 of 100 is not more than 2 %
    with pytest.raises(
        UserError,
        match=r'3 of 100 images \(3.0%\).*2.0% allowed, such as: a: x; b: x; c: x; .*'
        'raise train_dataloader.dataset.max_unreadable',
    ):
        step(hook, runner, 'c: x', '')


def test_a_fraction_of_the_hook_replaces_the_datasets(runner):
    step(UnreadableImagesHook(max_unreadable=0.03), runner, 'a: x\nb: x\nc: x')
    with pytest.raises(UserError, match='1 of 100'):
        step(UnreadableImagesHook(max_unreadable=0), runner, 'a: x')


def test_ranks_are_merged_after_an_epoch(runner, monkeypatch, caplog):
    hook = UnreadableImagesHook()
    step(hook, runner, 'a: x')
    monkeypatch.setattr(unreadable_images_hook, 'all_gather_object', lambda found: [found, {'a: x', 'b: x'}])
    hook.after_train_epoch(runner)
    assert '2 of 100 images could not be read' in caplog.text
    monkeypatch.setattr(unreadable_images_hook, 'all_gather_object', lambda found: [found, {'c: x'}])
    with pytest.raises(UserError, match='3 of 100'):
        hook.after_train_epoch(runner)


def test_nothing_is_logged_about_readable_images(runner, caplog):
    hook = UnreadableImagesHook(max_unreadable=0)
    step(hook, runner, '', '')
    hook.after_train_epoch(runner)
    assert caplog.text == ''


@pytest.mark.parametrize('workers', [0, 2])
def test_with_the_real_dataset_and_loader(tmp_path, runner, caplog, workers):
    for i in range(40):
        Image.fromarray(np.full((3, 3, 3), i, np.uint8)).save(tmp_path / f'{i:02}.png')
    (tmp_path / '07.png').write_bytes(b'')
    runner.train_dataloader = DataLoader(ImageListDataset(str(tmp_path)), batch_size=8, num_workers=workers)
    for limit in (0.025, 0.02):  # 1 of 40
        hook = UnreadableImagesHook(limit)
        batches = list(runner.train_dataloader)
        if limit == 0.025:
            for batch in batches:
                hook.after_train_iter(runner, 0, batch)
            assert caplog.text.count('07.png: cannot identify image file') == 1
        else:
            with pytest.raises(UserError, match='1 of 40 images .*07.png'):
                hook.after_train_iter(runner, 0, batches[0])
