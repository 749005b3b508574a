import multiprocessing
import pickle

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mmssl_geo.datasets.regions_file import METADATA, RegionsFile, match_rows, write_regions
from mmssl_geo.utils.errors import UserError

BOXES = {b'a.jpg': [[0, 0, 4, 5], [1, 2, 3, 4]], b'b/\xe9.jpg': [], b'c.jpg': [[0, 0, 1, 1]], b'd.jpg': []}


def write(path, boxes=BOXES, size=(5, 65535), **facts):
    names = sorted(boxes)
    regions = [box for name in names for box in boxes[name]]
    write_regions(
        path, names, [size] * len(names), [len(boxes[name]) for name in names], np.array(regions).reshape(-1, 4), facts
    )
    return RegionsFile(path)


def test_what_is_written_is_read(tmp_path):
    file = write(tmp_path / 'p.safetensors', seed=3)
    assert len(file) == 4 and file.facts == dict(seed=3, format=1)
    assert list(file.names()) == ['a.jpg', 'b/\udce9.jpg', 'c.jpg', 'd.jpg']
    for row, boxes in enumerate(BOXES.values()):
        regions, size = file[row]
        assert regions.tolist() == boxes and regions.shape == (len(boxes), 4) and size == (5, 65535)
    assert file.counts().tolist() == [2, 0, 1, 0]
    for row in (-1, 4):
        with pytest.raises(IndexError):
            file[row]
    assert [path.name for path in tmp_path.iterdir()] == ['p.safetensors']


def read_row(file, row, answers):
    answers.put(file[row][0].tolist())


@pytest.mark.parametrize('start', ['fork', 'spawn'])
def test_workers_read_the_file_themselves(tmp_path, start):
    file = write(tmp_path / 'p.safetensors')
    assert len(pickle.dumps(file)) < 500
    context = multiprocessing.get_context(start)
    answers = context.SimpleQueue()
    worker = context.Process(target=read_row, args=(file, 0, answers))
    worker.start()
    assert answers.get() == BOXES[b'a.jpg']
    worker.join()


def test_many_rows_against_a_plain_list(tmp_path):
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 5, 3000)
    left_top = rng.integers(0, 65000, (counts.sum(), 2))
    regions = np.concatenate([left_top, left_top + rng.integers(1, 535, (counts.sum(), 2))], axis=1)
    names = sorted(f'{i}.jpg'.encode() for i in range(3000))
    write_regions(tmp_path / 'p.safetensors', names, [(65535, 65535)] * 3000, counts, regions, {})
    file = RegionsFile(tmp_path / 'p.safetensors')
    ends = np.cumsum(counts)
    for row in range(3000):
        assert np.array_equal(file[row][0], regions[ends[row] - counts[row] : ends[row]])


@pytest.mark.parametrize(
    'names, sizes, counts, regions, message',
    [
        ([b'b', b'a'], [(9, 9)] * 2, [0, 0], [], 'sorted'),
        ([b'a', b'a'], [(9, 9)] * 2, [0, 0], [], 'different'),
        ([b'a', b'b'], [(9, 9)] * 2, [1, 0], [[0, 0, 10, 9]], r'\[0, 0, 10, 9\] of image 0 .* \[9, 9\]'),
        ([b'a', b'b'], [(9, 9), (5, 9)], [1, 1], [[0, 0, 9, 9]] * 2, 'of image 1'),
        ([b'a', b'b'], [(9, 9)] * 2, [0, 1], [[3, 0, 3, 9]], 'empty'),
        ([b'a', b'b'], [(9, 9)] * 2, [0, 1], [[-1, 0, 3, 9]], 'not inside'),
        ([b'a', b'b'], [(9, 9)] * 2, [0, 2], [[0, 0, 3, 9]], 'do not fit 1 regions'),
    ],
)
def test_nothing_wrong_is_written(tmp_path, names, sizes, counts, regions, message):
    with pytest.raises(ValueError, match=message):
        write_regions(tmp_path / 'p.safetensors', names, sizes, counts, np.array(regions).reshape(-1, 4), {})
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_to(tmp_path):
    with pytest.raises(UserError, match='cannot write .*nowhere/p.safetensors'):
        write(tmp_path / 'nowhere/p.safetensors')


def test_files_that_are_none(tmp_path):
    good = tmp_path / 'p.safetensors'
    write(good)
    with pytest.raises(UserError, match='gone.safetensors does not exist: make it with tools/make_proposals.py'):
        RegionsFile(tmp_path / 'gone.safetensors')
    bad = tmp_path / 'bad.safetensors'
    for content in (b'', good.read_bytes()[:-5], b'{"a.jpg": []}' * 20):
        bad.write_bytes(content)
        with pytest.raises(UserError, match='bad.safetensors is not a proposals file, or is truncated'):
            RegionsFile(bad)
    save_file({'weight': np.zeros(3)}, bad)
    with pytest.raises(UserError, match='not a proposals file'):
        RegionsFile(bad)
    arrays = load_file(good)
    for metadata, found in ((None, None), ({METADATA: '{"format": 0}'}, 0)):
        save_file(arrays, bad, metadata)
        with pytest.raises(UserError, match=f'has the format {found}, not 1: make it again'):
            RegionsFile(bad)
    for name in arrays:
        save_file({**arrays, name: arrays[name][:-1]}, bad, {METADATA: '{"format": 1}'})
        with pytest.raises(UserError, match='contradict each other'):
            RegionsFile(bad)


def test_rows_in_any_order_and_all_that_matches_is_silent(tmp_path):
    file = write(tmp_path / 'p.safetensors', {b'a': [[0, 0, 1, 1]], b'b': [[0, 0, 2, 2]], b'c': [[0, 0, 3, 3]]})
    rows, said = match_rows(file, ['c', 'a', 'b', 'a'], 0.0)
    assert rows.tolist() == [2, 0, 1, 0] and rows.dtype == np.int64 and said == ''


def test_missing_extra_and_renamed_images_are_counted_and_named(tmp_path):
    boxes = {f'{i:03}.jpg'.encode(): [[0, 0, 1, 1]] for i in range(100)}
    file = write(tmp_path / 'p.safetensors', boxes)
    names = [name.decode() for name in boxes]
    rows, said = match_rows(file, names[:-5], 0.0)
    assert rows.tolist() == list(range(95))
    assert '5 of its 100 entries belong to no image (such as 095.jpg, 096.jpg, 097.jpg) and are not used' in said
    assert 'no entry' not in said and 'renamed or' not in said
    rows, said = match_rows(file, names + ['new.jpg'], 0.01)
    assert rows.tolist() == list(range(100)) + [-1]
    assert '1 of 101 images have no entry in it (new.jpg) and get random grid regions' in said
    assert 'belong to no image' not in said and 'renamed or' not in said
    with pytest.raises(UserError, match='1 of 101 images have no entry.*new.jpg.*more than max_missing=0.009'):
        match_rows(file, names + ['new.jpg'], 0.009)
    renamed = [f'x/{name}' if i < 3 else name for i, name in enumerate(names)]
    rows, said = match_rows(file, renamed, 0.03)
    assert (rows[:3] == -1).all() and rows[3] == 3
    assert 'x/000.jpg' in said and '(000.jpg, 001.jpg, 002.jpg) and are not used' in said and 'renamed or moved' in said
    with pytest.raises(UserError, match='renamed or moved since the file was made counts on both sides'):
        match_rows(file, renamed, 0.029)


def test_a_missing_image_does_not_hide_that_the_last_entry_is_unused(tmp_path):
    file = write(tmp_path / 'p.safetensors', {b'a': [[0, 0, 1, 1]], b'b': [[0, 0, 2, 2]]})
    rows, said = match_rows(file, ['a', 'c'], 0.5)
    assert rows.tolist() == [0, -1] and '1 of its 2 entries belong to no image (b)' in said


def test_entries_without_a_region_are_said_and_must_not_be_all(tmp_path):
    file = write(tmp_path / 'p.safetensors')
    names = list(file.names())
    assert '2 of 4 images have an entry without a region and get random grid regions' in match_rows(file, names, 0.0)[1]
    assert match_rows(file, [names[0], names[2]], 0.0)[1].count('without a region') == 0
    with pytest.raises(UserError, match='no region for any of the 2 images'):
        match_rows(file, [names[1], names[3]], 0.0)
    with pytest.raises(UserError, match='no region for any of the 2 images'):
        match_rows(file, ['other', 'others'], 1.0)
