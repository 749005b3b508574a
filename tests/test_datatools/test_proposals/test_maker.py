import json
import threading
import time

import numpy as np
import pytest

from mmssl_geo.datasets.regions_file import RegionsFile
from mmssl_geo.datatools.proposals import Proposals, make_proposals
from mmssl_geo.datatools.proposals.work_folder import differences, open_work_folder
from mmssl_geo.utils.errors import UserError

NAMES = [f'{i:03}.jpg'.encode() for i in range(23)]


class Method:
    """Image i has i % 3 boxes; every call is noted."""

    def __init__(self, bad=(), stop_at=None, slow=()):
        self.bad, self.stop_at, self.slow = bad, stop_at, slow
        self.called = []
        self.lock = threading.Lock()

    def __call__(self, name):
        number = int(name[:3])
        with self.lock:
            self.called.append(number)
        if number == self.stop_at:
            raise KeyboardInterrupt
        if number in self.slow:
            time.sleep(0.05)
        if number in self.bad:
            return Proposals.failed(f'broken {number}')
        boxes = np.array([[k, 0, number + 1 + k, 2] for k in range(number % 3)], np.int64).reshape(-1, 4)
        return Proposals((10, 100), boxes, relaxed=number == 5, outside=int(number == 7) * 2)


def make(path, method, names=NAMES, **options):
    logged = []
    options = {**dict(options=dict(method='test', seed=1), chunk=5, log=logged.append), **options}
    return make_proposals(path, names, method, **options), logged


@pytest.mark.parametrize('workers', [1, 4])
def test_every_image_once_and_in_order(tmp_path, workers):
    method = Method(slow=(0, 7, 11))
    facts, logged = make(tmp_path / 'p.safetensors', method, workers=workers)
    file = RegionsFile(tmp_path / 'p.safetensors')
    assert sorted(method.called) == list(range(23)) and [name.encode() for name in file.names()] == NAMES
    for number in range(23):
        boxes, size = file[number]
        assert boxes.tolist() == [[k, 0, number + 1 + k, 2] for k in range(number % 3)] and size == (10, 100)
    totals = dict(num_images=23, num_regions=22, num_problems=0, num_without=8, num_relaxed=1, num_outside=2)
    assert totals.items() <= facts.items() and dict(facts, format=1) == file.facts
    assert facts['settings']['method'] == 'test' and facts['version'] and logged == []
    assert [path.name for path in tmp_path.iterdir()] == ['p.safetensors']


def test_an_interrupted_run_goes_on_where_it_was(tmp_path):
    out = tmp_path / 'p.safetensors'
    with pytest.raises(KeyboardInterrupt):
        make(out, Method(stop_at=17))
    assert not out.exists()
    second = Method()
    _, logged = make(out, second)
    assert sorted(second.called) == list(range(15, 23)) and logged == ['15 of 23 images were done before']
    whole = tmp_path / 'whole.safetensors'
    make(whole, Method())
    assert whole.read_bytes() == out.read_bytes()
    third = Method()
    facts, logged = make(out, third)
    assert third.called == [] and logged == [f'{out} is already complete: nothing to do'] and facts['num_regions'] == 22
    again = Method()
    make(out, again, restart=True)
    assert len(again.called) == 23


def test_a_chunk_damaged_on_disk_is_done_again(tmp_path):
    out = tmp_path / 'p.safetensors'
    with pytest.raises(KeyboardInterrupt):
        make(out, Method(stop_at=17))
    (tmp_path / 'p.safetensors.parts/000001.safetensors').write_bytes(b'half of it')
    method = Method()
    make(out, method)
    assert sorted(method.called) == [5, 6, 7, 8, 9] + list(range(15, 23))
    assert RegionsFile(out)[8][0].tolist() == [[0, 0, 9, 2], [1, 0, 10, 2]]


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(options=dict(method='test', seed=2)), 'seed was 1 and is 2'),
        (dict(names=NAMES[:-1]), 'names was .* and is .*, num_images was 23 and is 22'),
        (dict(names=NAMES[:-1] + [b'099.jpg']), 'names was'),
    ],
)
def test_other_settings_are_refused_before_anything_is_done(tmp_path, change, message):
    out = tmp_path / 'p.safetensors'
    with pytest.raises(KeyboardInterrupt):
        make(out, Method(stop_at=17))
    method = Method()
    with pytest.raises(UserError, match=f'unfinished work with other settings .*{message}.* or --restart to discard'):
        make(out, method, **change)
    make(out, method)
    with pytest.raises(UserError, match=f'p.safetensors exists, written with other settings .*{message}'):
        make(out, method, **change)
    assert len(method.called) == 8
    make(out, method, restart=True, **change)
    assert len(RegionsFile(out)) == len(change.get('names', NAMES))


def test_another_chunk_size_is_refused_while_unfinished(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / 'p.safetensors', Method(stop_at=17))
    with pytest.raises(UserError, match='chunk was 5 and is 6'):
        make(tmp_path / 'p.safetensors', Method(), chunk=6)


def test_problems_are_named_counted_and_listed(tmp_path):
    out, listing = tmp_path / 'p.safetensors', tmp_path / 'p.safetensors.problems.txt'
    bad = (2, 4, 5, 22)
    facts, logged = make(out, Method(bad=bad), workers=3)
    assert facts['num_problems'] == 4 and facts['num_without'] == 8 and facts['num_relaxed'] == 0
    assert logged == [f'no regions for {number:03}.jpg: broken {number}' for number in bad]
    assert listing.read_text() == ''.join(f'{number:03}.jpg\tbroken {number}\n' for number in bad)
    boxes, size = RegionsFile(out)[4]
    assert len(boxes) == 0 and size == (0, 0) and RegionsFile(out)[7][0].tolist() == [[0, 0, 8, 2]]
    make(out, Method(), restart=True)
    assert not listing.exists()


def test_only_the_first_problems_are_named_while_it_runs(tmp_path):
    names = [f'{i:03}.jpg'.encode() for i in range(60)]
    facts, logged = make(tmp_path / 'p.safetensors', Method(bad=range(40)), names)
    assert len(logged) == 20 and logged[-1].endswith('(more are not listed)') and facts['num_problems'] == 40


def test_no_readable_image_is_an_error(tmp_path):
    with pytest.raises(UserError, match='none of 23 images could be processed, the first is 000.jpg: broken 0'):
        make(tmp_path / 'p.safetensors', Method(bad=range(23)))
    assert not (tmp_path / 'p.safetensors').exists()


def test_unknown_folders_are_left_alone(tmp_path):
    parts = tmp_path / 'p.safetensors.parts'
    parts.mkdir()
    (parts / 'mine').write_text('')
    for restart in (False, True):
        with pytest.raises(UserError, match='is not a work folder of this tool'):
            make(tmp_path / 'p.safetensors', Method(), restart=restart)
    assert (parts / 'mine').exists()
    (parts / 'mine').unlink()
    make(tmp_path / 'p.safetensors', Method())


def test_a_work_folder_returns_what_was_saved(tmp_path):
    with open_work_folder(tmp_path / 'p', dict(a=1)) as folder:
        assert folder.load(0) is None
        folder.save(
            3,
            [
                Proposals((4, 5), np.array([[0, 1, 2, 3]])),
                Proposals.failed('gone'),
                Proposals((6, 7), np.empty((0, 4))),
            ],
        )
    with open_work_folder(tmp_path / 'p', dict(a=1)) as folder:
        arrays, facts = folder.load(3)
        assert arrays['sizes'].tolist() == [[4, 5], [0, 0], [6, 7]] and arrays['counts'].tolist() == [1, 0, 0]
        assert arrays['regions'].tolist() == [[0, 1, 2, 3]] and facts['problems'] == {'1': 'gone'}
        assert json.loads((tmp_path / 'p.parts/settings.json').read_text()) == dict(a=1)
        folder.remove()
    assert not (tmp_path / 'p.parts').exists()
    assert differences(dict(a=1, b=2), dict(b=3, c=4)) == 'a was 1 and is None, b was 2 and is 3, c was None and is 4'


def test_one_run_at_a_time(tmp_path):
    with open_work_folder(tmp_path / 'p', dict(a=1)):
        for restart in (False, True):
            with pytest.raises(UserError, match='another run is using .*p.parts'):
                with open_work_folder(tmp_path / 'p', dict(a=1), restart):
                    pass
    with open_work_folder(tmp_path / 'p', dict(a=1)):
        pass


def test_a_kill_before_the_settings_are_written_leaves_a_usable_folder(tmp_path):
    (tmp_path / 'p.parts').mkdir()
    for name in ('lock', '.123.settings.json'):
        (tmp_path / 'p.parts' / name).write_text('')
    with open_work_folder(tmp_path / 'p', dict(a=1)):
        assert sorted(path.name for path in (tmp_path / 'p.parts').iterdir()) == ['lock', 'settings.json']
