import json
import random
import subprocess
import sys
from functools import partial

import pytest
from PIL import Image
from pycocotools.coco import COCO

from mmssl_geo.datasets.image_list import ImageListDataset
from mmssl_geo.utils.errors import UserError
from tests.support import ROOT

from .conftest import CLASSES, image_id, write_csv

TOOL = ROOT / 'tools/dataset_converters/make_openimages_mini.py'
OPTIONS = ('--num-images', 30, '--num-val', 8, '--num-classes', 3, '--min-instances', 2, '--max-instances', 6)


@pytest.fixture
def run(run_tool):
    return partial(run_tool.main, 'dataset_converters/make_openimages_mini.py')


def ids(out, split):
    return (out / f'{split}_ids.txt').read_text().split()


def write_images(folder, names, size=(50, 40)):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', size).save(path)


def test_the_first_step_says_what_to_download(download, tmp_path, run, capsys):
    out = tmp_path / 'out'
    run(download, out, *OPTIONS)
    assert len(ids(out, 'train')) == len(set(ids(out, 'train'))) == 30 and len(ids(out, 'val')) == 8
    assert all(line.startswith('train/') and len(line) == 22 for line in ids(out, 'train'))
    assert all(line.startswith('validation/') for line in ids(out, 'val'))
    assert sorted(path.name for path in out.iterdir()) == ['subset.json', 'train_ids.txt', 'val_ids.txt']
    facts = json.loads((out / 'subset.json').read_text())
    assert [one['name'] for one in facts['categories']] == ['Ant', 'Bee, wild', 'Cat']
    assert facts['train']['chosen'] == 30 and facts['train']['boxes_file'] == 'oidv6-train-annotations-bbox.csv'
    assert facts['options']['seed'] == 0
    shown = capsys.readouterr()
    assert 'train: 30 images chosen from' in shown.out and 'with --images FOLDER' in shown.out
    assert 'no train-images-boxable-with-rotation.csv' in shown.out and 'rows of oidv6-train' in shown.err


def test_the_second_step_writes_lists_and_boxes_in_pixels(download, tmp_path, run):
    out, images = tmp_path / 'out', tmp_path / 'images'
    run(download, out, *OPTIONS)
    chosen = [line.split('/')[1] for line in ids(out, 'train')]
    write_images(images, [f'train_{name[0]}/{name}.jpg' for name in chosen])
    write_images(images, [f'validation/{line.split("/")[1]}.png' for line in ids(out, 'val')], (100, 20))
    write_images(images, ['train_0/ffffffffffffffff.jpg'])
    run(download, out, *OPTIONS, '--images', images)
    assert [line.split('/')[1] for line in ids(out, 'train')] == chosen
    listed = ImageListDataset(str(images), ann_file=str(out / 'train.txt'))
    assert sorted(listed.names) == sorted(f'train_{name[0]}/{name}.jpg' for name in chosen)
    coco = COCO(out / 'instances_train.json')
    assert len(coco.imgs) == 30 and [one['name'] for one in coco.dataset['categories']] == ['Ant', 'Bee, wild', 'Cat']
    written = [
        line.split(',')
        for line in (download / 'oidv6-train-annotations-bbox.csv').read_text().replace('"', '').splitlines()[1:]
    ]
    name_of = dict(CLASSES)
    for image in coco.imgs.values():
        assert (image['height'], image['width']) == (40, 50)
        got = sorted(
            (coco.cats[one['category_id']]['name'], one['iscrowd'], *one['bbox']) for one in coco.imgToAnns[image['id']]
        )
        wanted = []
        for row in written:
            if row[0] == image['file_name'][8:24] and row[2] in ('/m/0a', '/m/0b', '/m/0c'):
                x1, x2, y1, y2 = (float(edge) * side for edge, side in zip(row[4:8], (50, 50, 40, 40), strict=True))
                wanted.append((name_of[row[2]], int(row[10]), x1, y1, x2 - x1, y2 - y1))
        assert len(got) == len(wanted) and sum(one[1] == 0 for one in got) in range(2, 7)
        for one, other in zip(got, sorted(wanted), strict=True):
            assert one[:2] == other[:2] and one[2:] == pytest.approx(other[2:], abs=0.011)
    assert any(one['iscrowd'] for one in coco.anns.values())
    facts = json.loads((out / 'subset.json').read_text())['train']
    assert facts['images'] == 30 and facts['missing'] == 0
    assert facts['instances'] + facts['groups'] == len(coco.anns)
    val = json.loads((out / 'instances_val.json').read_text())
    assert len(val['images']) == 8 and val['images'][0]['width'] == 100


def test_the_order_of_the_rows_plays_no_part(download, tmp_path, run):
    write_images(tmp_path / 'images', [f'{image_id(number)}.jpg' for number in (*range(1, 201), *range(1001, 1061))])
    run(download, tmp_path / 'a', *OPTIONS, '--images', tmp_path / 'images')
    for path in download.glob('*-bbox.csv'):
        header, *rows = path.read_text().splitlines()
        path.write_text('\n'.join([header] + random.Random(2).sample(rows, len(rows))) + '\n')
    run(download, tmp_path / 'b', *OPTIONS, '--images', tmp_path / 'images')
    names = sorted(path.name for path in (tmp_path / 'a').iterdir())
    assert names == sorted(
        [
            'instances_train.json',
            'instances_val.json',
            'subset.json',
            'train.txt',
            'train_ids.txt',
            'val.txt',
            'val_ids.txt',
        ]
    )
    for name in names:
        assert (tmp_path / 'a' / name).read_bytes() == (tmp_path / 'b' / name).read_bytes()
    run(download, tmp_path / 'c', *OPTIONS, '--seed', 1)
    assert ids(tmp_path / 'a', 'train') != ids(tmp_path / 'c', 'train')


def test_missing_and_unreadable_images_are_named_and_bounded(download, tmp_path, run):
    out, images = tmp_path / 'out', tmp_path / 'images'
    run(download, out, *OPTIONS)
    chosen = [line.split('/')[1] for line in ids(out, 'train')]
    write_images(
        images, [f'{name}.jpg' for name in chosen[2:]] + [f'{line.split("/")[1]}.jpg' for line in ids(out, 'val')]
    )
    (images / f'{chosen[1]}.jpg').write_bytes(b'nothing')
    with pytest.raises(
        UserError,
        match=f'2 of the 30 train images are missing from .* or unreadable, more than '
        f'--max-missing 0.01 allows, such as {chosen[0]}: not in the image folder',
    ):
        run(download, out, *OPTIONS, '--images', images)
    assert (out / 'train_missing.txt').read_text().count('\n') == 2 and not (out / 'train.txt').exists()
    run(download, out, *OPTIONS, '--images', images, '--max-missing', 0.07)
    assert len((out / 'train.txt').read_text().split()) == 28
    content = json.loads((out / 'instances_train.json').read_text())
    assert len(content['images']) == 28 and {one['image_id'] for one in content['annotations']} == set(range(1, 29))
    assert not (out / 'val_missing.txt').exists()


def test_images_that_do_not_stand_upright_are_left_out(download, tmp_path, run, capsys):
    run(download, tmp_path / 'a', *OPTIONS)
    turned = [line.split('/')[1] for line in ids(tmp_path / 'a', 'train')[:5]]
    write_csv(
        download / 'train-images-boxable-with-rotation.csv',
        ['ImageID', 'Rotation'],
        [[image_id(number), 90.0 if image_id(number) in turned else ''] for number in range(1, 201)],
    )
    run(download, tmp_path / 'b', *OPTIONS)
    assert '5 images that are not upright are excluded' in capsys.readouterr().out
    assert not {f'train/{name}' for name in turned} & set(ids(tmp_path / 'b', 'train'))
    assert len(set(ids(tmp_path / 'a', 'train')) & set(ids(tmp_path / 'b', 'train'))) == 25


def test_files_of_an_earlier_choice_do_not_stay(download, tmp_path, run):
    out, images = tmp_path / 'out', tmp_path / 'images'
    run(download, out, *OPTIONS)
    write_images(images, [f'{line}.jpg' for split in ('train', 'val') for line in ids(out, split)])
    run(download, out, *OPTIONS, '--images', images)
    run(download, out, *OPTIONS)  # the same images: what was made of them stays
    assert (out / 'instances_train.json').is_file() and (out / 'val.txt').is_file()
    run(download, out, *OPTIONS, '--num-val', 0, '--seed', 1)
    assert sorted(path.name for path in out.iterdir()) == ['subset.json', 'train_ids.txt']


def test_without_a_validation_split_its_file_is_not_needed(download, tmp_path, run):
    (download / 'validation-annotations-bbox.csv').unlink()
    with pytest.raises(UserError, match='has a file validation-annotations-bbox.csv or'):
        run(download, tmp_path / 'out', *OPTIONS)
    run(download, tmp_path / 'out', *OPTIONS, '--num-val', 0)
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['subset.json', 'train_ids.txt']


@pytest.mark.parametrize(
    'args, sentence',
    [
        (['--num-images', 300], 'train: [0-9]+ images have 2 to 6 instances of the 3 classes, fewer than the 300'),
        (['--num-val', 60], 'val: [0-9]+ images have'),
        (['--num-classes', 6], 'only 5 classes have an instance'),
        (['--max-missing', 2], '--max-missing must be between'),
        (['--images', 'nowhere'], 'nowhere does not exist'),
        (['--min-instances', 0], '--min-instances must be 1 or more'),
    ],
)
def test_a_mistake_is_said_before_anything_is_written(download, tmp_path, run, args, sentence):
    with pytest.raises(UserError, match=sentence):
        run(download, tmp_path / 'out', *OPTIONS, *args)
    assert not (tmp_path / 'out').exists()


def test_on_the_command_line_a_mistake_is_one_sentence_and_status_1(tmp_path):
    done = subprocess.run(
        [sys.executable, str(TOOL), str(tmp_path), str(tmp_path / 'out')], capture_output=True, text=True
    )
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and done.stderr.startswith('error: neither')
