import json

import numpy as np
import pytest
from PIL import Image

from mmssl_geo.datatools.proposals import AnnotationMethod, GridMethod, RegionFilter
from mmssl_geo.utils.errors import UserError


@pytest.fixture
def images(tmp_path):
    Image.new('RGB', (40, 30)).save(tmp_path / 'a.png')
    turned = Image.new('RGB', (40, 30))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / 'turned.jpg', exif=exif)
    (tmp_path / 'bad.png').write_bytes(b'nothing')
    return tmp_path


def coco(path, **changes):
    content = dict(
        images=[
            dict(id=7, file_name='a.png', height=30, width=40),
            dict(id=8, file_name='turned.jpg'),
            dict(id=9, file_name='bad.png'),
        ],
        annotations=[
            dict(image_id=7, bbox=[1.5, 2.25, 10, 3.5], iscrowd=0),
            dict(image_id=7, bbox=[35, 20, 10, 4]),
            dict(image_id=7, bbox=[0, 0, 40, 30], iscrowd=1),
            dict(image_id=8, bbox=[0, 0, 30, 40]),
        ],
    )
    path.write_text(json.dumps({**content, **changes}))
    return path


def test_grid_boxes_are_drawn_in_the_upright_image_from_seed_and_name(images):
    method = GridMethod(images, RegionFilter())
    found = method('turned.jpg')
    assert found.size == (40, 30) and found.boxes.shape == (9, 4) and not found.problem
    assert found.boxes.min() == 0 and (found.boxes[:, :2] < found.boxes[:, 2:]).all()
    assert found.boxes[:, 2].max() <= 30 and 30 < found.boxes[:, 3].max() <= 40
    assert np.array_equal(found.boxes, method('turned.jpg').boxes)
    assert not np.array_equal(method('a.png').boxes, GridMethod(images, RegionFilter(seed=1))('a.png').boxes)
    assert len(GridMethod(images, RegionFilter(max_number=4))('a.png').boxes) == 4
    bad = method('bad.png')
    assert bad.size == (0, 0) and len(bad.boxes) == 0 and 'identify' in bad.problem
    assert 'No such file' in method('gone.png').problem


def test_annotations_round_outwards_and_are_clipped_and_counted(images, tmp_path):
    method = AnnotationMethod(images, coco(tmp_path / 'c.json'), RegionFilter())
    found = method('a.png')
    assert found.boxes.tolist() == [[1, 2, 12, 6], [35, 20, 40, 24]] and found.outside == 1
    assert found.size == (30, 40) and not found.problem
    assert method('turned.jpg').boxes.tolist() == [[0, 0, 30, 40]]  # without a size in the json
    assert method('bad.png').problem and method('bad.png').boxes.shape == (0, 4)
    crowd = AnnotationMethod(images, coco(tmp_path / 'c.json'), RegionFilter(), crowd=True)
    assert crowd('a.png').boxes.tolist() == [[0, 0, 40, 30], [1, 2, 12, 6], [35, 20, 40, 24]]
    (images / 'more.png').write_bytes((images / 'a.png').read_bytes())
    unknown = method('more.png')
    assert unknown.size == (30, 40) and len(unknown.boxes) == 0 and not unknown.problem


def test_annotations_of_another_frame_are_a_problem(images, tmp_path):
    path = coco(
        tmp_path / 'c.json',
        images=[dict(id=8, file_name='turned.jpg', height=30, width=40)],
        annotations=[dict(image_id=8, bbox=[0, 0, 40, 30])],
    )
    found = AnnotationMethod(images, path, RegionFilter())('turned.jpg')
    assert found.problem == 'the annotations are for an image of 30 x 40 pixels (height x width), the file has 40 x 30'
    assert len(found.boxes) == 0


def test_limits_hold_for_annotations(images, tmp_path):
    method = AnnotationMethod(images, coco(tmp_path / 'c.json'), RegionFilter(min_side=4.5))
    assert method('a.png').boxes.tolist() == []
    method = AnnotationMethod(images, coco(tmp_path / 'c.json'), RegionFilter(max_aspect=2))
    assert method('a.png').boxes.tolist() == [[35, 20, 40, 24]]


@pytest.mark.parametrize(
    'content',
    [
        '{',
        '[]',
        '{"images": [{"id": 1}], "annotations": []}',
        '{"images": [], "annotations": [{"image_id": 1, "bbox": [0, 0, 1, 1]}]}',
        '{"images": [{"id": 1, "file_name": "a"}]}',
        '{"images": [{"id": 1, "file_name": "a"}], "annotations": [{"image_id": 1, "bbox": [0, 0, 1]}]}',
    ],
)
def test_invalid_coco_files_are_refused(tmp_path, content):
    (tmp_path / 'c.json').write_text(content)
    with pytest.raises(UserError, match='c.json is not a COCO annotation file'):
        AnnotationMethod(tmp_path, tmp_path / 'c.json', RegionFilter())
    with pytest.raises(UserError, match='gone.json does not exist'):
        AnnotationMethod(tmp_path, tmp_path / 'gone.json', RegionFilter())
