import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from mmssl_geo.datatools.proposals import RegionFilter, SelectiveSearchMethod
from mmssl_geo.datatools.proposals import search_process as module
from mmssl_geo.utils.errors import UserError

# Stands in for selective_search.py: replies with its process id, and kills itself at images named "die".
FAKE = """
import json, os, signal, sys
options = json.loads(sys.argv[3])
for line in sys.stdin:
    request = json.loads(line)
    if 'fail' in request['name']:
        raise ImportError('no module for ' + request['name'])
    if 'die' in request['name']:
        os.kill(os.getpid(), signal.SIGKILL)
    if 'bad' in request['name']:
        print(json.dumps(dict(unreadable='no image: ' + request['path'])), flush=True)
        continue
    print(json.dumps(dict(size=[os.getpid(), options['side']], boxes=[[0, 1, 2, options['filter']['max_number']]],
                          relaxed=options['mode'] == 'quality')), flush=True)
"""


@pytest.fixture
def method(tmp_path, monkeypatch):
    (tmp_path / 'fake.py').write_text(FAKE)
    monkeypatch.setattr(module, 'SCRIPT', tmp_path / 'fake.py')
    with SelectiveSearchMethod(sys.executable, '/images', RegionFilter(max_number=5), 'quality', 300, 2) as method:
        yield method


def test_options_are_sent_and_regions_are_returned(method):
    found = method('a b é\udce9.jpg')
    assert found.boxes.tolist() == [[0, 1, 2, 5]] and found.size[1] == 300 and found.relaxed and not found.problem
    bad = method('bad/1.jpg')
    assert bad.problem == 'no image: /images/bad/1.jpg' and bad.size == (0, 0) and bad.boxes.shape == (0, 4)


def test_threads_share_as_many_processes_as_there_are_workers(method):
    found = []
    threads = [
        threading.Thread(target=lambda: found.extend(method(f'{i}.jpg').size[0] for i in range(20))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 40 and 1 <= len(set(found)) <= 2


def test_a_dead_process_is_replaced_and_its_image_reported(method):
    assert method('die.jpg').problem == 'the search process died with status -9'
    for _ in range(3):  # crashes that are not consecutive
        assert not method('a.jpg').problem
        assert method('die.jpg').problem
    assert method('die.jpg').problem
    with pytest.raises(
        UserError, match='3 consecutive search processes died, the last with status -9.*too little memory'
    ):
        method('die.jpg')


def test_the_reason_of_the_last_death_is_named(method):
    assert method('fail.jpg').problem == 'the search process died with status 1'
    method('fail.jpg')
    with pytest.raises(UserError, match=r'the last with status 1 \(ImportError: no module for fail\.jpg\)'):
        method('fail.jpg')


@pytest.mark.parametrize(
    'script, reason',
    [
        ('import no_such_module', r"status 1 \(ModuleNotFoundError: No module named 'no_such_module'\)"),
        ('import sys; sys.exit(3)', 'status 3'),
        ('input(); print(\'{"unreadable": "no codec"}\')', 'no codec'),
    ],
)
def test_an_environment_that_does_not_work_is_found_at_the_start(tmp_path, monkeypatch, script, reason):
    (tmp_path / 'fake.py').write_text(script)
    monkeypatch.setattr(module, 'SCRIPT', tmp_path / 'fake.py')
    with pytest.raises(UserError, match=f'Selective Search does not work with .*{reason}.*Remove the folder'):
        with SelectiveSearchMethod(sys.executable, '/images', RegionFilter(), 'fast', 0, 1):
            pass


def test_processes_end_with_the_block(method, tmp_path):
    with SelectiveSearchMethod(sys.executable, '/images', RegionFilter(), 'fast', 0, 3) as other:
        pid = other('a.jpg').size[0]
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_modules_of_the_main_environment_are_not_imported(method, tmp_path):
    # a module beside the script would be found first, and PYTHONPATH may lead to the cv2 of the main environment
    assert method.command[1] == '-I'
    (tmp_path / 'json.py').write_text('raise SystemExit(7)')
    assert not method('a.jpg').problem


@pytest.fixture
def search_script(monkeypatch):
    """`selective_search.py` as a module; only `search` itself needs opencv-contrib."""
    from mmssl_geo.datatools.proposals import selective_search

    return selective_search


def test_the_search_replies_in_the_frame_of_training(search_script, tmp_path, monkeypatch):
    from PIL import Image

    from mmssl_geo.datasets.image_reading import read_rgb

    seen = []

    def search(image, mode, side):
        seen.append((image, mode, side))
        return np.array([[2.2, 0, 25.5, 50], [-3, 0, 2, 2], [9, 9, 9, 9]])

    monkeypatch.setattr(search_script, 'search', search)
    reading = search_script.load_module(module.READING, 'image_reading_by_path')
    filters = search_script.load_module(module.FILTERS, 'filters_by_path')
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 40, 3), dtype=np.uint8))
    exif = picture.getexif()
    exif[0x0112] = 6
    path = str(tmp_path / 'turned.png')
    picture.save(path, exif=exif)
    limits = filters.RegionFilter(min_side=3, relax=True, max_aspect=1)
    options = dict(mode='fast', side=77)
    reply = search_script.answer(dict(name='turned.png', path=path), reading, filters, options, limits)
    image, mode, side = seen[0]
    assert image.shape == (40, 24, 3) and np.array_equal(image, read_rgb(path)) and (mode, side) == ('fast', 77)
    assert reply == dict(size=(40, 24), boxes=[[2, 0, 24, 40]], relaxed=True)
    (tmp_path / 'bad.png').write_bytes(b'')
    reply = search_script.answer(dict(name='b', path=str(tmp_path / 'bad.png')), reading, filters, options, limits)
    assert 'identify' in reply['unreadable']


def test_the_script_starts_by_path_in_isolated_mode(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            '-I',
            str(module.SCRIPT),
            str(module.READING),
            str(module.FILTERS),
            '{"mode": "fast", "side": 0, "filter": {}}',
        ],
        input='{"name": "gone", "path": "/gone.jpg"}\n',
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and 'No such file' in done.stdout, done.stderr
