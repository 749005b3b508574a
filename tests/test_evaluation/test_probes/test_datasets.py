import json

import numpy as np
import pytest
import torch
from PIL import Image

from mmssl_geo.evaluation.probes.datasets import ClassImages, LabelledImages, ObjectImages
from mmssl_geo.utils.errors import UserError
from tests.support.features import coordinate_image
from tests.support.labelled_images import save, write_classes, write_label_maps, write_objects


def test_class_folders_are_numbered_by_name(tmp_path):
    images = ClassImages(write_classes(tmp_path, num=2), 32)
    assert images.classes == ['blue', 'green', 'red'] and len(images) == 6
    for view, label in images:
        assert view.shape == (3, 32, 32) and view.dtype == torch.uint8
        assert view.float().mean(dim=(1, 2)).argmax() == 2 - label


def test_the_classes_of_the_training_images_number_the_others(tmp_path):
    write_classes(tmp_path, num=1)
    (tmp_path / 'blue' / '0.png').unlink()
    images = ClassImages(tmp_path, 32, ['blue', 'green', 'red'])
    assert [label for _, label in images] == [1, 2]
    with pytest.raises(UserError, match='has 1 classes that are not among the training images, such as green'):
        ClassImages(tmp_path, 32, ['blue', 'red'])


def test_a_list_names_paths_and_classes(tmp_path):
    root = write_classes(tmp_path / 'a b', num=1)
    (root / 'list.txt').write_text(f'red/0.png  1\n\n{root}/blue/0.png 0\n')
    images = ClassImages(root / 'list.txt', 32)
    assert images.classes == ['0', '1'] and [label for _, label in images] == [1, 0]


@pytest.mark.parametrize('height, width, box', [(256, 512, (144, 16)), (512, 256, (16, 144)), (256, 256, (16, 16))])
def test_the_view_is_the_middle_of_the_image(tmp_path, height, width, box):
    save(tmp_path / 'a' / '0.png', coordinate_image(height, width))
    save(tmp_path / 'b' / '0.png', coordinate_image(height, width))
    view = ClassImages(tmp_path, 224)[0][0]
    left, top = box
    expected = torch.from_numpy(coordinate_image(height, width)[top : top + 224, left : left + 224]).permute(2, 0, 1)
    assert (view.int() - expected.int()).abs().max() <= 1


@pytest.mark.parametrize(
    'pixels',
    [
        np.full((1, 1, 3), 90, np.uint8),
        np.full((1, 300), 90, np.uint8),
        np.full((501, 3), 90, np.uint8),
        np.full((17, 9), 90 * 257, np.uint16),
    ],
    ids=['one pixel', 'row', 'column', '16 bit'],
)
def test_odd_sizes_and_grey_images_are_views_too(tmp_path, pixels):
    save(tmp_path / 'a' / '0.png', pixels)
    save(tmp_path / 'b' / '0.png', pixels)
    view, _ = ClassImages(tmp_path, 32)[1]
    assert view.shape == (3, 32, 32) and (view == 90).all()


@pytest.mark.parametrize(
    'lines, sentence',
    [
        ('', 'is empty: expected one image per line'),
        ('a.png\nb.png 1', 'has the line "a.png": expected one image per line'),
        ('a.png 1\nb.png 1', 'has only one class, 1'),
    ],
)
def test_wrong_lists_are_refused(tmp_path, lines, sentence):
    (tmp_path / 'list.txt').write_text(lines)
    with pytest.raises(UserError, match=sentence):
        ClassImages(tmp_path / 'list.txt', 32)


def test_wrong_folders_and_images_are_refused(tmp_path):
    with pytest.raises(UserError, match='no such image folder'):
        ClassImages(tmp_path / 'nowhere', 32)
    with pytest.raises(UserError, match='no such list'):
        ClassImages(tmp_path / 'nowhere.txt', 32)
    with pytest.raises(UserError, match='no image in'):
        ClassImages(tmp_path, 32)
    write_classes(tmp_path, num=1)
    (tmp_path / 'red' / '0.png').write_bytes(b'no image')
    with pytest.raises(UserError, match='an image cannot be read, repair it or remove it .*red/0.png'):
        list(ClassImages(tmp_path, 32))
    save(tmp_path / 'loose.png', np.zeros((4, 4), np.uint8))
    with pytest.raises(UserError, match='loose.png is not in a class folder'):
        ClassImages(tmp_path, 32)


def test_boxes_follow_the_stretched_image(tmp_path):
    images = ObjectImages(*write_objects(tmp_path, num=2), 64, min_side=12)
    view, boxes_view, labels = images[1]
    scale = torch.tensor([64 / 96, 1, 64 / 96, 1])
    expected = torch.tensor([[2.0, 20, 22, 40], [34, 20, 54, 40], [66, 20, 86, 40]]) * scale
    torch.testing.assert_close(boxes_view, expected)
    for box, label in zip(boxes_view.round().int(), labels, strict=True):
        x1, y1, x2, y2 = box.tolist()
        assert view[:, y1 + 2 : y2 - 2, x1 + 2 : x2 - 2].float().mean(dim=(1, 2)).argmax() == (label - 5) // 2


def test_small_objects_groups_and_images_without_objects_are_left_out(tmp_path):
    folder, annotations = write_objects(tmp_path, num=3)
    content = json.loads(annotations.read_text())
    content['annotations'] = content['annotations'][:6]
    content['annotations'][0]['iscrowd'] = 1
    content['annotations'][1]['bbox'][2] = 15  # 10 px of the view
    annotations.write_text(json.dumps(content))
    images = ObjectImages(folder, annotations, 64, min_side=12)
    assert [len(labels) for _, _, labels in images] == [1, 3]
    assert images[0][2].tolist() == [content['annotations'][2]['category_id']]


@pytest.mark.parametrize(
    'change, sentence',
    [
        (lambda content: content['annotations'][0].pop('category_id'), 'without a "category_id"'),
        (lambda content: content['annotations'].clear(), 'has no annotated object'),
        (lambda content: content['images'][1].update(file_name='x.png'), '1 of 2 images of .* such as x.png'),
        (lambda content: content.pop('images'), 'is not a COCO annotation file'),
    ],
)
def test_wrong_annotations_are_refused(tmp_path, change, sentence):
    folder, annotations = write_objects(tmp_path, num=2)
    content = json.loads(annotations.read_text())
    change(content)
    annotations.write_text(json.dumps(content))
    with pytest.raises(UserError, match=sentence):
        ObjectImages(folder, annotations, 64)


def test_label_maps_keep_their_resolution_and_suffixes_pair_them(tmp_path):
    images, labels = write_label_maps(tmp_path, num=2)
    view, own = LabelledImages(images, labels, 32, 3)[1]
    assert view.shape == (3, 32, 32) and own.shape == (48, 64) and own.dtype == torch.uint8
    assert np.array_equal(own, Image.open(labels / '1.png'))
    (tmp_path / 'city').mkdir()
    (images / '1.jpg').rename(tmp_path / 'city' / 'a_leftImg8bit.png')
    (labels / '1.png').rename(tmp_path / 'city' / 'a_gtFine_labelTrainIds.png')
    city = LabelledImages(
        tmp_path / 'city',
        tmp_path / 'city',
        32,
        3,
        image_suffix='_leftImg8bit.png',
        label_suffix='_gtFine_labelTrainIds.png',
    )
    assert len(city) == 1 and torch.equal(city[0][1], own)


def test_reduced_labels(tmp_path):
    save(tmp_path / 'images' / 'a.png', np.zeros((2, 3), np.uint8))
    save(tmp_path / 'labels' / 'a.png', np.array([[0, 1, 2], [3, 255, 1]], np.uint8))
    images = LabelledImages(tmp_path / 'images', tmp_path / 'labels', 32, 3, reduce_zero_label=True)
    assert images[0][1].tolist() == [[255, 0, 1], [2, 255, 0]]
    with pytest.raises(UserError, match=r'class index 2 \(after reduce_zero_label\), but there are 2 classes'):
        LabelledImages(tmp_path / 'images', tmp_path / 'labels', 32, 2, reduce_zero_label=True)[0]


@pytest.mark.parametrize(
    'pixels, sentence',
    [
        (np.full((2, 3), 3, np.uint8), 'contains the class index 3, but there are 3 classes'),
        (np.zeros((2, 3, 3), np.uint8), 'is a colour image, not a map'),
        (np.zeros((3, 2), np.uint8), r'has height and width \(3, 2\), but its image has \(2, 3\)'),
    ],
)
def test_wrong_label_maps_are_named(tmp_path, pixels, sentence):
    save(tmp_path / 'images' / 'a.png', np.zeros((2, 3), np.uint8))
    save(tmp_path / 'labels' / 'a.png', pixels)
    with pytest.raises(UserError, match='a.png ' + sentence):
        LabelledImages(tmp_path / 'images', tmp_path / 'labels', 32, 3)[0]


def test_missing_and_broken_label_maps_are_named(tmp_path):
    images, labels = write_label_maps(tmp_path, num=2)
    with pytest.raises(UserError, match='no such folder of label maps'):
        LabelledImages(images, tmp_path / 'nowhere', 32, 3)
    (labels / '0.png').write_bytes(b'no image')
    with pytest.raises(UserError, match='the label map .*0.png cannot be read'):
        LabelledImages(images, labels, 32, 3)[0]
    (labels / '1.png').unlink()
    with pytest.raises(UserError, match='1 of 2 images in .* have no label map, such as 1.jpg'):
        LabelledImages(images, labels, 32, 3)
