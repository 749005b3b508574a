import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mmssl_geo.datasets.regions_file import RegionsFile
from mmssl_geo.datatools.proposals.environment import default_folder
from tests.support import ROOT

TOOL = ROOT / 'tools/make_proposals.py'


@pytest.fixture
def run(run_tool):
    return partial(run_tool, 'make_proposals.py')


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / 'images'
    (folder / 'sub').mkdir(parents=True)
    for number in range(5):
        Image.new('RGB', (40 + number, 30)).save(folder / f'sub/{number}.png')
    return folder


def test_grid(images, tmp_path, run):
    out = tmp_path / 'p.safetensors'
    done = run(images, out, '--method', 'grid', '--max-number', 4, '--seed', 3)
    assert done.returncode == 0, done.stderr
    assert '20 regions of 5 images' in done.stdout and '5/5 [' in done.stderr
    file = RegionsFile(out)
    assert list(file.names()) == [f'sub/{number}.png' for number in range(5)]
    assert file[3][1] == (30, 43) and file.facts['settings']['limits']['seed'] == 3
    again = run(images, out, '--method', 'grid', '--max-number', 4, '--seed', 3)
    assert again.returncode == 0 and 'already complete' in again.stdout and '20 regions' in again.stdout
    other = run(images, out, '--method', 'grid', '--max-number', 5, '--seed', 3)
    assert other.returncode == 1 and 'exists, written with other settings' in other.stderr


def test_annotations_and_a_list_of_images(images, tmp_path, run):
    coco = tmp_path / 'coco.json'
    coco.write_text(
        json.dumps(
            dict(
                images=[
                    dict(id=1, file_name='sub/0.png'),
                    dict(id=2, file_name='sub/4.png'),
                    dict(id=3, file_name='else.png'),
                ],
                annotations=[dict(image_id=1, bbox=[1, 2, 3, 4]), dict(image_id=2, bbox=[-5, 0, 10, 10])],
            )
        )
    )
    (tmp_path / 'list.txt').write_text('sub/4.png\nsub/0.png\nsub/1.png\n')
    out = tmp_path / 'p.safetensors'
    done = run(images, out, '--method', 'annotations', '--annotations', coco, '--ann-file', tmp_path / 'list.txt')
    assert done.returncode == 0, done.stderr
    assert f'{coco} has 2 of the 3 images, and 1 others' in done.stdout
    assert '2 regions of 3 images' in done.stdout and '1 images have none' in done.stdout
    assert '1 regions extended beyond their image' in done.stdout
    file = RegionsFile(out)
    assert [(name, file[row][0].tolist()) for row, name in enumerate(file.names())] == [
        ('sub/0.png', [[1, 2, 4, 6]]),
        ('sub/1.png', []),
        ('sub/4.png', [[0, 0, 5, 10]]),
    ]
    coco.write_text(coco.read_text().replace('[1, 2, 3, 4]', '[1, 2, 5, 4]'))  # other boxes, the name as before
    again = run(images, out, '--method', 'annotations', '--annotations', coco, '--ann-file', tmp_path / 'list.txt')
    assert again.returncode == 1 and 'sha256' in again.stderr


def test_unreadable_images_are_named_and_too_many_are_an_error(images, tmp_path, run):
    (images / 'sub/2.png').write_bytes(b'nothing')
    out = tmp_path / 'p.safetensors'
    done = run(images, out, '--method', 'grid')
    assert done.returncode == 1 and 'no regions for sub/2.png: cannot identify' in done.stdout
    assert '20.0% of the images had a problem, more than --max-problems 0.01' in done.stderr
    assert (tmp_path / 'p.safetensors.problems.txt').read_text().startswith('sub/2.png\t')
    done = run(images, out, '--method', 'grid', '--max-problems', 0.2)
    assert done.returncode == 0 and '1 images (20.0%) had a problem' in done.stdout


def test_a_killed_run_goes_on_and_gives_the_same_file(tmp_path, run):
    images = tmp_path / 'images'
    images.mkdir()
    source = images / '0000.png'
    Image.new('RGB', (40, 30)).save(source)
    for number in range(1, 3000):
        os.link(source, images / f'{number:04}.png')
    out, parts = tmp_path / 'p.safetensors', tmp_path / 'p.safetensors.parts'
    options = images, out, '--method', 'grid', '--chunk', 20, '--workers', 2
    process = subprocess.Popen(
        [sys.executable, str(TOOL), *map(str, options)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and len(list(parts.glob('000*.safetensors'))) < 5:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and not out.exists()
    finished = len(list(parts.glob('000*.safetensors')))
    assert 5 <= finished < 150
    refused = run(*options, '--seed', 1)
    assert refused.returncode == 1 and 'unfinished work with other settings' in refused.stderr
    done = run(*options)
    assert done.returncode == 0 and f'{20 * finished} of 3000 images were done before' in done.stdout
    whole = run(images, tmp_path / 'whole.safetensors', '--method', 'grid')
    assert whole.returncode == 0 and (tmp_path / 'whole.safetensors').read_bytes() == out.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ['images', 'p.safetensors', 'whole.safetensors']


@pytest.mark.parametrize(
    'args, sentence',
    [
        (['--mode', 'fast'], '--mode belongs to --method selective-search, not to grid'),
        (['--search-side', '0'], '--search-side belongs to --method selective-search, not to grid'),
        (['--annotations', 'a.json'], '--annotations belongs to --method annotations, not to grid'),
        (['--crowd'], '--crowd belongs to --method annotations'),
        (['--method', 'annotations'], 'needs --annotations COCO.json'),
        (['--method', 'annotations', '--annotations', 'gone.json'], 'gone.json does not exist'),
        (['--method', 'annotations', '--annotations', 'other.json'], 'has none of the images'),
        (['--workers', '0'], '--workers and --chunk must be 1 or more'),
        (['--max-size', '3'], 'min_size and max_size are shares of the image'),
        (['--min-side', '4000'], 'has no regions: widen'),
        (['--max-problems', '3'], '--max-problems is a share'),
        (['--ann-file', 'gone.txt'], 'gone.txt does not exist'),
    ],
)
def test_a_mistake_is_one_sentence_and_status_1(images, tmp_path, args, sentence, run):
    (tmp_path / 'other.json').write_text('{"images": [{"id": 1, "file_name": "x.jpg"}], "annotations": []}')
    args = [str(tmp_path / arg) if arg.endswith(('.json', '.txt')) else arg for arg in args]
    done = run(images, tmp_path / 'p.safetensors', '--method', 'grid', *args)
    lines = [line for line in done.stderr.strip().splitlines() if '/5 [' not in line]
    assert done.returncode == 1 and len(lines) == 1 and sentence in lines[0], done.stderr


@pytest.mark.parametrize(
    'images_at, out_at, sentence',
    [
        ('gone', 'p.safetensors', 'the image folder .*gone does not exist'),
        ('', 'p.safetensors', 'there is no image in'),
        ('images', 'p.json', 'has to end in .safetensors'),
        ('images', 'gone/p.safetensors', 'folder of OUT .* not exist'),
    ],
)
def test_places_that_do_not_fit(images, tmp_path, images_at, out_at, sentence, run):
    empty = tmp_path / 'empty'
    empty.mkdir()
    done = run(tmp_path / images_at if images_at else empty, tmp_path / out_at, '--method', 'grid')
    assert done.returncode == 1
    assert re.search(sentence, done.stderr) and 'Traceback' not in done.stderr


SEARCH_ENV = os.environ.get('MMSSL_GEO_SS_ENV', str(default_folder()))


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir(SEARCH_ENV), reason='no environment for Selective Search: MMSSL_GEO_SS_ENV')
def test_selective_search_finds_the_objects_in_the_upright_frame(tmp_path, run):
    """A picture stored upright and the same one stored on its side with an EXIF tag have the same regions."""
    images = tmp_path / 'images'
    images.mkdir()
    picture = Image.new('RGB', (320, 240), (90, 140, 90))
    objects = [(20, 30, 120, 130), (170, 100, 300, 220)]
    for box, colour in zip(objects, ((220, 40, 40), (40, 60, 220)), strict=True):
        ImageDraw.Draw(picture).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=colour)
    picture.save(images / 'upright.png')
    stored = picture.transpose(Image.Transpose.ROTATE_90)
    exif = stored.getexif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    stored.save(images / 'stored.png', exif=exif)
    picture.resize((1280, 960), Image.Resampling.NEAREST).save(images / 'large.png')
    (images / 'bad.jpg').write_bytes(b'nothing')
    done = run(images, tmp_path / 'p.safetensors', '--ss-env', SEARCH_ENV, '--workers', 2, '--max-problems', 0.5)
    assert done.returncode == 0 and 'no regions for bad.jpg' in done.stdout, done.stderr
    file = RegionsFile(tmp_path / 'p.safetensors')
    found = {name: file[row] for row, name in enumerate(file.names())}
    assert found['upright.png'][1] == found['stored.png'][1] == (240, 320)
    assert np.array_equal(found['upright.png'][0], found['stored.png'][0])
    assert found['large.png'][1] == (960, 1280)
    for box in objects:
        assert min(abs(found['upright.png'][0].astype(int) - box).max(axis=1)) <= 3
        assert min(abs(found['large.png'][0].astype(int) - np.multiply(box, 4)).max(axis=1)) <= 12
