import collections
import random

import numpy as np
import pytest

from mmssl_geo.datatools.openimages import csv_files
from mmssl_geo.datatools.openimages.csv_files import (
    ROW,
    find_file,
    find_optional_file,
    read_boxes,
    read_classes,
    read_rotated,
)
from mmssl_geo.datatools.openimages.subset import SubsetOptions, boxes_of, choose_classes, choose_images, instances
from mmssl_geo.utils.errors import UserError

from .conftest import CLASSES, HEADER, image_id, make_rows, write_csv

LABELS = {class_id: label for label, (class_id, _) in enumerate(CLASSES)}


def write_boxes(tmp_path, rows, name='b.csv'):
    write_csv(tmp_path / name, HEADER, rows)
    return tmp_path / name


def row(image=None, label='/m/0a', box=(0.1, 0.2, 0.3, 0.4), group=0):
    return [image or image_id(1), 'xclick', label, 1, *box, 0, 0, group, 0, 0]


@pytest.mark.parametrize('batch', [1, 7, 200_000])
def test_rows_are_read_in_batches(tmp_path, monkeypatch, batch):
    monkeypatch.setattr(csv_files, 'BATCH', batch)
    rows = make_rows(30, 0)
    batches = list(read_boxes(write_boxes(tmp_path, rows), LABELS))
    assert all(len(part) <= batch for part in batches)
    read = np.concatenate(batches)
    assert read.dtype == ROW and len(read) == len(rows)
    for one, written in zip(read, rows, strict=True):
        assert f'{one["image"]:016x}' == written[0] and CLASSES[one['label']][0] == written[2]
        assert [one[edge] for edge in ('x1', 'x2', 'y1', 'y2')] == pytest.approx([float(e) for e in written[4:8]])
        assert one['group'] == written[10]


def test_other_classes_and_impossible_boxes_are_left_out_and_counted(tmp_path, capsys):
    good = row(box=(0, 1, 0, 1))
    rows = [
        good,
        row(label='/m/zz'),
        row(box=(0.2, 0.2, 0, 1)),
        row(box=(0.3, 0.2, 0, 1)),
        row(box=(-0.1, 0.2, 0, 1)),
        row(box=(0, 1.1, 0, 1)),
        row(box=(0, 1, 0.5, 0.4)),
        row(box=(0, 1, 0, 1.01)),
        row(box=('nan', 1, 0, 1)),
    ]
    assert len(np.concatenate(list(read_boxes(write_boxes(tmp_path, rows), LABELS)))) == 1
    assert '9 rows of b.csv' in (shown := capsys.readouterr().err)
    assert 'skipped 7 empty boxes or boxes outside their image, and 1 rows of other classes' in shown


@pytest.mark.parametrize(
    'rows, message',
    [
        ([row(), row(image='xyz')], 'line 3: .*16 hexadecimal digits'),
        ([row(image='g' * 16)], 'line 2'),
        ([row(box=('', 1, 0, 1))], 'line 2'),
        ([['000'] * 3], 'line 2'),
    ],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path, rows, message):
    with pytest.raises(UserError, match=f'b.csv, {message}'):
        list(read_boxes(write_boxes(tmp_path, rows), LABELS))


def test_a_file_of_another_kind(tmp_path):
    write_csv(tmp_path / 'b.csv', ['ImageID', 'LabelName', 'Confidence'], [])
    with pytest.raises(UserError, match='b.csv has no column XMin, XMax, YMin, YMax, IsGroupOf'):
        list(read_boxes(tmp_path / 'b.csv', LABELS))
    (tmp_path / 'b.csv').write_text('')
    with pytest.raises(UserError, match='has no column ImageID'):
        list(read_boxes(tmp_path / 'b.csv', LABELS))
    with pytest.raises(UserError, match='has no classes'):
        read_classes(tmp_path / 'b.csv')


@pytest.mark.parametrize('header', [None, ['LabelName', 'DisplayName'], ['id', 'name']])
def test_classes_with_and_without_a_header(tmp_path, header):
    write_csv(tmp_path / 'c.csv', header, CLASSES[::-1])
    classes = read_classes(tmp_path / 'c.csv')
    assert list(classes.items()) == CLASSES


def test_rotations(tmp_path):
    turns = '0.0', '90.0', '', '180', '0', '360.0', '270.0'
    write_csv(
        tmp_path / 'r.csv',
        ['ImageID', 'Subset', 'Rotation'],
        [[image_id(k), 'train', turn] for k, turn in enumerate(turns)],
    )
    assert sorted(f'{one:016x}' for one in read_rotated(tmp_path / 'r.csv')) == sorted(map(image_id, (1, 3, 6)))
    write_csv(tmp_path / 'r.csv', ['ImageID', 'Subset'], [])
    with pytest.raises(UserError, match='no column Rotation'):
        read_rotated(tmp_path / 'r.csv')


def test_files_are_found_in_the_folder_or_one_below(tmp_path):
    (tmp_path / 'labels').mkdir()
    (tmp_path / 'labels/b.csv').write_text('')
    assert find_file(tmp_path, ('a.csv', 'b.csv')) == tmp_path / 'labels/b.csv'
    (tmp_path / 'b.csv').write_text('')
    assert find_file(tmp_path, ('a.csv', 'b.csv')) == tmp_path / 'b.csv'
    (tmp_path / 'labels/a.csv').write_text('')
    assert find_file(tmp_path, ('a.csv', 'b.csv')) == tmp_path / 'labels/a.csv'
    assert find_optional_file(tmp_path, ('c.csv',)) is None
    with pytest.raises(UserError, match='neither .* nor a folder in it has a file c.csv or d.csv'):
        find_file(tmp_path, ('c.csv', 'd.csv'))
    with pytest.raises(UserError, match='gone does not exist'):
        find_file(tmp_path / 'gone', ('c.csv',))


def test_the_most_frequent_classes_and_ties():
    labels = np.array([3] * 5 + [1] * 4 + [0] * 4 + [2], np.int16)
    assert choose_classes(labels, 5, 1).tolist() == [3]
    assert choose_classes(labels, 5, 2).tolist() == [0, 3]
    assert choose_classes(labels, 5, 4).tolist() == [0, 1, 2, 3]
    with pytest.raises(UserError, match='only 4 classes have an instance in the training split, fewer than the 5'):
        choose_classes(labels, 5, 5)


def test_images_meet_the_options_and_nothing_else_matters(tmp_path):
    rows = make_rows(400, 0)
    counts = collections.Counter(one[0] for one in rows if one[2] in ('/m/0a', '/m/0b') and one[10] == 0)
    fit = {image for image, count in counts.items() if 2 <= count <= 4}
    options = SubsetOptions(min_instances=2, max_instances=4, seed=3)

    def choose(rows, number, options=options, rotated=()):
        images, labels = instances(read_boxes(write_boxes(tmp_path, rows), LABELS))
        chosen, candidates = choose_images(
            images, labels, np.array([0, 1]), np.array(rotated, np.uint64), number, 'train', options
        )
        assert (np.diff(chosen.astype(object)) > 0).all()
        return {f'{image:016x}' for image in chosen}, candidates

    everything, candidates = choose(rows, len(fit))
    assert everything == fit and candidates == len(fit) > 100
    some, _ = choose(rows, 50)
    shuffled = random.Random(1).sample(rows, len(rows))
    assert len(some) == 50 and some < fit and choose(shuffled, 50)[0] == some
    assert some < choose(rows, 80)[0]
    assert choose(rows, 50, SubsetOptions(min_instances=2, max_instances=4, seed=4))[0] != some
    turned = sorted(some)[:10]
    without, left = choose(rows, 50, rotated=[int(image, 16) for image in turned])
    assert not without & set(turned) and some - set(turned) < without and left == candidates - 10
    with pytest.raises(
        UserError,
        match=f'train: {len(fit)} images have 2 to 4 instances of the 2 classes, '
        f'fewer than the {len(fit) + 1} requested',
    ):
        choose(rows, len(fit) + 1)


def test_the_draw_is_even(tmp_path):
    images = np.arange(1, 1001, dtype=np.uint64)
    labels = np.zeros(1000, np.int16)
    chosen = [
        choose_images(
            np.repeat(images, 2),
            np.repeat(labels, 2),
            [0],
            np.empty(0, np.uint64),
            100,
            'train',
            SubsetOptions(seed=seed),
        )[0]
        for seed in range(200)
    ]
    counts = np.bincount(np.concatenate(chosen).astype(int), minlength=1001)[1:]
    assert abs(counts - 20).max() < 5 * 20**0.5


def test_boxes_of_the_chosen_sorted_each_once_groups_too(tmp_path):
    rows = [
        row(image_id(3), group=1),
        row(image_id(1), '/m/0b'),
        row(image_id(1)),
        row(image_id(2)),
        row(image_id(1)),
        row(image_id(1), '/m/0c'),
    ]
    images = np.array(sorted(int(image_id(k), 16) for k in (1, 3)), np.uint64)
    kept = boxes_of(read_boxes(write_boxes(tmp_path, rows), LABELS), images, np.array([0, 1]))
    again = boxes_of(read_boxes(write_boxes(tmp_path, rows[::-1]), LABELS), images, np.array([0, 1]))
    assert np.array_equal(kept, again)
    assert [(f'{one["image"]:016x}', int(one['label']), bool(one['group'])) for one in kept] == [
        (image_id(1), 0, False),
        (image_id(1), 1, False),
        (image_id(3), 0, True),
    ]


@pytest.mark.parametrize(
    'options',
    [
        dict(num_train=0),
        dict(num_val=-1),
        dict(num_classes=0),
        dict(seed=-1),
        dict(min_instances=0),
        dict(min_instances=5, max_instances=4),
    ],
)
def test_impossible_options(options):
    with pytest.raises(UserError, match='must be 1 or more|--min-instances must be 1 or more'):
        SubsetOptions(**options)
