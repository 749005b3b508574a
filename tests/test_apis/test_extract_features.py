"""The tool's features against those of the net called by hand."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from safetensors import safe_open
from torchvision.ops import roi_align
from torchvision.transforms.v2 import functional as tvf

from mmssl_geo.datasets.regions_file import write_regions
from tests.support import checkpoints as make

SIZES = {'a.png': (37, 91), 'b/turned.png': (80, 48), 'c.png': (200, 131), 'd.png': (64, 96)}  # height, width, upright
VIEW = (64, 96)
MEAN, STD = (torch.tensor(values).view(3, 1, 1) for values in ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)))


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    """Four images of odd sizes, one of them stored turned (EXIF orientation 6), one file that is no image."""
    folder = tmp_path_factory.mktemp('photos')
    rng = np.random.default_rng(0)
    (folder / 'b').mkdir()
    for name, (height, width) in SIZES.items():
        turned = 'turned' in name
        pixels = rng.integers(0, 256, (width, height, 3) if turned else (height, width, 3), dtype=np.uint8)
        exif = Image.Exif()
        exif[0x0112] = 6 if turned else 1
        Image.fromarray(pixels).save(folder / name, exif=exif)
    (folder / 'broken.jpg').write_text('no image')
    return folder


@pytest.fixture
def extract(run_tool):
    """Function arguments -> (exit status, printed text)."""

    def run(*args):
        done = run_tool('extract_features.py', *args, '--workers', '0')
        return done.returncode, done.stdout + done.stderr

    return run


def shards_of(folder):
    """List of (arrays, names, unreadable) of all shards."""
    found = []
    for path in sorted(folder.glob('*.safetensors')):
        with safe_open(path, framework='numpy') as file:
            images = json.loads(file.metadata()['mmssl_geo_features'])
            found.append(({key: file.get_tensor(key) for key in file.keys()}, images['names'], images['unreadable']))
    return found


def tokens_by_hand(folder, name, net, size=VIEW):
    image = ImageOps.exif_transpose(Image.open(folder / name)).convert('RGB')
    assert (image.height, image.width) == SIZES[name]
    view = tvf.resize(torch.from_numpy(np.array(image)).permute(2, 0, 1), list(size), antialias=True)
    return make.tokens(net, ((view.float() - MEAN) / STD)[None])[0]


def same(found, expected):
    return make.difference(torch.from_numpy(found), expected) < 1e-5


def test_image_features(tmp_path, photos, vit, extract):
    status, said = extract(vit.path, '--images', photos, tmp_path / 'out', '--size', '64x96', '--batch-size', '3')
    assert status == 0 and '4 images in' in said and '1 cannot be read, the first is broken.jpg: ' in said
    ((arrays, names, unreadable),) = shards_of(tmp_path / 'out')
    assert names == ['a.png', 'b/turned.png', 'c.png', 'd.png'] and set(arrays) == {'cls', 'mean'}
    assert [name for name, _ in unreadable] == ['broken.jpg']
    assert (tmp_path / 'out' / 'unreadable.txt').read_text().startswith('broken.jpg: ')
    for row, name in enumerate(names):
        tokens = tokens_by_hand(photos, name, vit.teacher)
        assert same(arrays['cls'][row], tokens[0]) and same(arrays['mean'][row], tokens[1:].mean(dim=0))


def test_patch_features_cell_by_cell(tmp_path, photos, vit, extract):
    extract(
        vit.path, '--images', photos, tmp_path / 'out', '--kind', 'patches', '--size', '64x96', '--weights', 'student'
    )
    ((arrays, names, _),) = shards_of(tmp_path / 'out')
    assert arrays['maps'].shape == (4, 48, 4, 6) and arrays['maps'].dtype == np.float32
    for number, name in enumerate(names):
        tokens = tokens_by_hand(photos, name, vit.student)
        for row in range(4):
            for column in range(6):
                assert same(arrays['maps'][number, :, row, column], tokens[1 + 6 * row + column])


def coco(path, boxes, sizes=SIZES):
    """Writes a json; boxes: name -> list of (x, y, width, height, category, iscrowd)."""
    images = [
        dict(id=number, file_name=name, height=sizes[name][0], width=sizes[name][1])
        for number, name in enumerate(boxes)
    ]
    annotations = [
        dict(image_id=image['id'], bbox=box[:4], category_id=box[4], iscrowd=box[5])
        for image in images
        for box in boxes[image['file_name']]
    ]
    path.write_text(json.dumps(dict(images=images, annotations=annotations)))
    return path


def test_region_features(tmp_path, photos, vit, extract):
    boxes = {
        # one cell of the view (row 1, column 2), four cells, a crowd, one outside of the image
        'd.png': [(32, 16, 16, 16, 7, 0), (48, 32, 32, 32, 9, 0), (0, 0, 50, 50, 7, 1), (96, 10, 20, 20, 7, 0)],
        'b/turned.png': [(5.5, 11, 20, 40.25, 3, 0)],
        'broken.jpg': [(0, 0, 1, 1, 1, 0)],
    }
    path = coco(tmp_path / 'a.json', boxes, {**SIZES, 'broken.jpg': (5, 5)})
    extract(
        vit.path,
        '--images',
        photos,
        tmp_path / 'out',
        '--kind',
        'regions',
        '--regions',
        path,
        '--size',
        '64x96',
        '--batch-size',
        '2',
    )
    ((arrays, names, _),) = shards_of(tmp_path / 'out')
    rows = [names.index('b/turned.png'), names.index('d.png'), names.index('d.png')]
    assert arrays['image'].tolist() == rows and arrays['labels'].tolist() == [3, 7, 9]
    assert np.allclose(arrays['boxes'], [[5.5, 11, 25.5, 51.25], [32, 16, 48, 32], [48, 32, 80, 64]])
    tokens = tokens_by_hand(photos, 'd.png', vit.teacher)
    assert same(arrays['features'][1], tokens[1 + 6 * 1 + 2])
    four = [1 + 6 * row + column for row in (2, 3) for column in (3, 4)]
    assert same(arrays['features'][2], tokens[four].mean(dim=0))
    turned = tokens_by_hand(photos, 'b/turned.png', vit.teacher)[1:].t().unflatten(1, (4, 6))[None]
    scale = torch.tensor([96 / 48 / 16, 64 / 80 / 16]).repeat(2)  # from upright source pixels to cells
    box = torch.tensor([[5.5, 11, 25.5, 51.25]]) * scale
    assert same(arrays['features'][0], roi_align(turned, [box], 1, aligned=True)[0, :, 0, 0])


def test_regions_of_a_proposals_file(tmp_path, photos, vit, extract):
    names = [b'c.png', b'd.png']
    write_regions(tmp_path / 'r.safetensors', names, [SIZES['c.png'], SIZES['d.png']], [0, 1], [[32, 16, 48, 32]], {})
    extract(
        vit.path,
        '--images',
        photos,
        tmp_path / 'out',
        '--kind',
        'regions',
        '--regions',
        tmp_path / 'r.safetensors',
        '--size',
        '64x96',
    )
    ((arrays, _, _),) = shards_of(tmp_path / 'out')
    assert arrays['image'].tolist() == [3] and arrays['labels'].tolist() == [-1]
    assert same(arrays['features'][0], tokens_by_hand(photos, 'd.png', vit.teacher)[1 + 6 + 2])


def test_boxes_drawn_in_another_shape_of_the_image_are_left_out(tmp_path, photos, vit, extract):
    """Twice the size is the same shape; the sides swapped are not."""
    boxes = {'d.png': [(64, 32, 32, 32, 7, 0)], 'a.png': [(1, 1, 20, 20, 7, 0)]}
    path = coco(tmp_path / 'a.json', boxes, {'d.png': (128, 192), 'a.png': (91, 37)})
    extract(vit.path, '--images', photos, tmp_path / 'out', '--kind', 'regions', '--regions', path, '--size', '64x96')
    ((arrays, names, _),) = shards_of(tmp_path / 'out')
    assert arrays['image'].tolist() == [names.index('d.png')] and arrays['boxes'].tolist() == [[32, 16, 48, 32]]


def test_a_resnet_has_no_cls(tmp_path, photos, resnet, extract):
    extract(resnet.path, '--images', photos, tmp_path / 'out', '--size', '64', '--dtype', 'float16')
    ((arrays, names, _),) = shards_of(tmp_path / 'out')
    assert set(arrays) == {'mean'} and arrays['mean'].shape == (4, 512) and arrays['mean'].dtype == np.float16
    image = torch.from_numpy(np.array(Image.open(photos / 'a.png'))).permute(2, 0, 1)
    view = (tvf.resize(image, [64, 64], antialias=True).float() - MEAN) / STD
    expected = make.stage_maps(resnet.net, view[None])[-1].mean(dim=(2, 3))[0]
    assert make.difference(torch.from_numpy(arrays['mean'][0]).double(), expected) < 1e-3


def test_shards_are_streamed_and_a_stopped_run_goes_on(tmp_path, photos, vit, extract):
    command = (vit.path, '--images', photos, tmp_path / 'out', '--size', '64', '--shard-size', '2')
    assert extract(*command)[0] == 0
    paths = sorted((tmp_path / 'out').glob('*.safetensors'))
    shards = shards_of(tmp_path / 'out')
    assert [names for _, names, _ in shards] == [['a.png', 'b/turned.png'], ['c.png'], ['d.png']]
    assert [[name for name, _ in lost] for _, _, lost in shards] == [[], ['broken.jpg'], []]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}
    paths[1].unlink()
    assert extract(*command)[0] == 0
    assert {path: path.read_bytes() for path in paths} == {path: data for path, (data, _) in before.items()}
    assert [path.stat().st_mtime_ns == before[path][1] for path in paths] == [True, False, True]
    assert not list((tmp_path / 'out').glob('.*'))


def test_a_fixed_image_is_read_when_the_tool_is_called_again(tmp_path, photos, vit, extract):
    shutil.copytree(photos, tmp_path / 'mine')
    command = (vit.path, '--images', tmp_path / 'mine', tmp_path / 'out', '--size', '64', '--shard-size', '2')
    extract(*command)
    first, second, third = sorted((tmp_path / 'out').glob('*.safetensors'))
    assert first.stat().st_mode == (tmp_path / 'out' / 'settings.json').stat().st_mode
    before = {path: path.stat().st_mtime_ns for path in (first, second, third)}
    shutil.copy(photos / 'a.png', tmp_path / 'mine' / 'broken.jpg')
    status, text = extract(*command)
    assert status == 0 and '5 images in' in text and 'cannot be read' not in text
    assert [path.stat().st_mtime_ns == before[path] for path in before] == [True, False, True]
    assert [names for _, names, _ in shards_of(tmp_path / 'out')][1] == ['broken.jpg', 'c.png']


def test_folders_that_are_none(tmp_path, photos, vit, extract):
    (tmp_path / 'file').write_text('')
    assert (
        f'{tmp_path}/file is a file, not a folder'
        in extract(vit.path, '--images', photos, tmp_path / 'file', '--size', '64')[1]
    )
    (tmp_path / 'other').mkdir()
    (tmp_path / 'other' / 'settings.json').write_text('[1]')
    assert (
        'settings.json was not written by this tool'
        in extract(vit.path, '--images', photos, tmp_path / 'other', '--size', '64')[1]
    )


def test_batches_and_shards_change_nothing(tmp_path, photos, vit, extract):
    boxes = coco(tmp_path / 'a.json', {'a.png': [(1, 2, 30, 20, 1, 0)], 'd.png': [(0, 0, 40, 60, 2, 0)] * 2})
    (tmp_path / 'all').mkdir()
    for name, options in (('one', ('--batch-size', '1', '--shard-size', '1')), ('all', ())):
        extract(
            vit.path,
            '--images',
            photos,
            tmp_path / name,
            '--size',
            '64',
            '--kind',
            'regions',
            '--regions',
            boxes,
            *options,
        )
    ((whole, names, _),) = shards_of(tmp_path / 'all')
    parts = shards_of(tmp_path / 'one')
    assert [name for _, own, _ in parts for name in own] == names
    assert np.allclose(np.concatenate([arrays['features'] for arrays, _, _ in parts]), whole['features'], atol=1e-5)
    assert [own[row] for arrays, own, _ in parts for row in arrays['image']] == [names[row] for row in whole['image']]


def test_other_settings_are_refused(tmp_path, photos, vit, extract):
    command = (vit.path, '--images', photos, tmp_path / 'out', '--size', '64')
    extract(*command)
    for more, said in (
        (('--weights', 'student'), 'net: '),
        (('--kind', 'patches'), 'kind: image, now patches'),
        (('--size', '80'), 'size: [64, 64], now [80, 80]'),
        (('--dtype', 'float16'), 'dtype: '),
    ):
        status, text = extract(*command, *more)
        assert status == 1 and f'was begun with other settings ({said}' in text
    (tmp_path / 'full').mkdir()
    (tmp_path / 'full' / 'precious').write_text('')
    status, text = extract(vit.path, '--images', photos, tmp_path / 'full')
    assert status == 1 and 'full holds other files' in text and len(list((tmp_path / 'full').iterdir())) == 1


@pytest.mark.parametrize(
    'options, said',
    [
        (('--size', '100'), "--size 100x100: both sides must be multiples of the network's stride of 16 px"),
        (('--size', '64x'), '--size 64x: give a side in pixels, or HEIGHTxWIDTH'),
        (('--size', '0'), '--size 0: give a side'),
        (('--kind', 'regions'), '--kind regions and --regions FILE belong together'),
        (('--regions', 'a.json'), '--kind regions and --regions FILE belong together'),
        (('--kind', 'regions', '--regions', 'a.txt'), r'must end in .json (COCO) or .safetensors'),
        (('--kind', 'regions', '--regions', 'none.json'), 'none.json does not exist'),
        (('--batch-size', '0'), '--batch-size must be at least 1'),
        (('--images', 'nowhere'), '--images nowhere: there is no such folder'),
    ],
)
def test_wrong_options(tmp_path, photos, vit, extract, options, said):
    status, text = extract(vit.path, '--images', photos, tmp_path / 'out', '--size', '64', *options)
    assert status == 1 and said in text and 'Traceback' not in text
    assert not (tmp_path / 'out').exists()


def test_files_of_other_images_and_folders_without_any(tmp_path, photos, vit, extract):
    path = coco(tmp_path / 'a.json', {'d.png': []})
    path.write_text(path.read_text().replace('d.png', 'other/d.png'))
    status, text = extract(vit.path, '--images', photos, tmp_path / 'out', '--kind', 'regions', '--regions', path)
    assert status == 1 and 'a.json names none of the 5 images' in text and 'such as a.png' in text
    (tmp_path / 'empty').mkdir()
    status, text = extract(vit.path, '--images', tmp_path / 'empty', tmp_path / 'out')
    assert status == 1 and 'no image found' in text
    (tmp_path / 'list.txt').write_text(f'{photos / "broken.jpg"}\n')
    status, text = extract(vit.path, '--images', tmp_path / 'list.txt', tmp_path / 'bad', '--size', '64')
    assert status == 1 and 'none of the 1 images can be read, the first is ' in text
