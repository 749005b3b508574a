import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from mmssl_geo.evaluation.boxes import relative_boxes
from mmssl_geo.evaluation.images import relative_names
from mmssl_geo.evaluation.regions import RegionImages, RegionSource, collect_region_images
from mmssl_geo.evaluation.regions.measures import REGION_MEASURES, measure_regions, relative_distance
from mmssl_geo.evaluation.regions.pastes import extract_region_features, paste, round_to_cells, sample_pastes
from mmssl_geo.utils.constants import IMAGENET_MEAN, IMAGENET_STD
from mmssl_geo.utils.errors import UserError
from tests.support.features import CELL, CELLS, SIZE, constant, image_code, position_code

NUM = 24


@pytest.fixture(scope='module')
def images():
    """Views whose four quarters have a colour each, two regions in each, and its own class in every second image."""
    rng = np.random.default_rng(0)
    views = torch.from_numpy(rng.integers(0, 256, (NUM, 3, 2, 2), dtype=np.uint8)).float()
    views = F.interpolate(views, size=SIZE).byte()
    boxes = torch.tensor([[4.0, 3.0, 42.0, 50.0], [60.0, 61.0, 101.0, 95.0]]).repeat(NUM, 1)
    owner = torch.arange(NUM).repeat_interleave(2)
    return RegionImages(views, boxes, owner, boxes, owner, owner % 2)


def colours(views):
    """Cells that hold the mean colour of their pixels: `(B, 3, h, w)`."""
    std, mean = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_STD, IMAGENET_MEAN))
    return F.avg_pool2d((views * std + mean) / 255, CELL)


def measured(features, images):
    pastes = sample_pastes(images, CELL)
    found = extract_region_features(features, images, pastes, CELL, batch_size=5)
    results = measure_regions(found, images, pastes, CELLS, range(2))
    assert list(results) == list(REGION_MEASURES)
    return results


def test_colours_depend_on_neither_surroundings_nor_position(images):
    results = measured(colours, images)
    assert results['coupling'].mean == pytest.approx(0, abs=1e-5)
    assert results['shift_bias'].mean == pytest.approx(0, abs=1e-5)
    assert results['region_position_error'].mean > 0.9 * results['region_position_error'].chance


def test_position_codes_have_bias_but_no_coupling(images):
    results = measured(position_code, images)
    assert results['coupling'].mean == pytest.approx(0, abs=1e-5)
    assert results['shift_bias'].mean > 0.5
    cell = torch.tensor([[(x + 0.5) / CELLS, (y + 0.5) / CELLS] for y in range(CELLS) for x in range(CELLS)])
    places = cell.T.reshape(1, 2, CELLS, CELLS)
    position_error = measured(lambda views: places.expand(len(views), -1, -1, -1), images)['region_position_error']
    assert position_error.mean < 0.005 < 0.15 < position_error.chance


def test_the_mean_of_the_image_is_coupled_and_moves_with_no_shift(images):
    results = measured(image_code, images)
    assert results['coupling'].mean > 0.5
    assert results['shift_bias'].mean < 0.2


def test_features_that_are_the_same_everywhere_count_as_unrelated(images):
    results = measured(constant, images)
    assert results['coupling'].mean == results['shift_bias'].mean == 1
    assert results['region_position_error'].mean == pytest.approx(results['region_position_error'].chance, rel=0.1)


def test_objects_are_pooled_from_their_own_images(images):
    shades = torch.arange(NUM) % 2 * 200 + 20
    views = shades.byte().view(-1, 1, 1, 1).expand_as(images.views)
    result = measured(colours, images._replace(views=views))['object_knn']
    assert result.mean == 1 and result.chance < 0.8


def test_relative_distance_by_hand():
    east, north, west = torch.eye(3)[:2].tolist() + [[-1.0, 0.0, 0.0]]
    first, second = torch.tensor([east, east]), torch.tensor([north, west])
    image, background = torch.tensor([0, 1]), torch.tensor([2, 3])
    # own: cosines 0, -1; others: east with west, east with north
    assert relative_distance(first, second, image, background) == pytest.approx(1.0)
    assert relative_distance(first, first, image, background) == 1.0  # all alike
    second = torch.tensor([east, north])
    assert relative_distance(torch.tensor([east, north]), second, image, background) == 0
    third = torch.tensor([east, north, [0.0, 0.0, 1.0]])
    swapped = torch.tensor([north, east, [0.0, 0.0, 1.0]])
    # 2 has the background that is the image of 0: only the pairs (0, 1) and (1, 2) count
    value = relative_distance(third, swapped, torch.tensor([0, 1, 2]), torch.tensor([3, 4, 0]))
    assert value == pytest.approx((2 / 3) / (1 - 2 / 4))
    with pytest.raises(UserError, match='all regions of one half of the images share images'):
        relative_distance(first, second, image, torch.tensor([1, 0]))


def test_boxes_are_rounded_to_whole_cells_with_room_to_shift():
    boxes = torch.tensor(
        [[4.0, 12.0, 36.0, 44.0], [0.0, 0.0, 64.0, 63.0], [30.0, 30.0, 34.0, 63.0], [62.0, 1.0, 63.0, 2.0]]
    )
    assert round_to_cells(boxes, 16, 4).tolist() == [[0, 1, 2, 3], [0, 0, 3, 3], [2, 2, 3, 4], [3, 0, 4, 1]]


def test_a_paste_is_the_region_on_the_other_image():
    views = torch.stack([torch.arange(3 * 64).view(3, 8, 8), torch.full((3, 8, 8), 250)]).byte()
    made = paste(views, 0, 1, torch.tensor([1, 2, 4, 4]), torch.tensor([5, 6, 8, 8]))
    assert torch.equal(made[:, 6:8, 5:8], views[0, :, 2:4, 1:4])
    assert (made == 250).sum() == 3 * (64 - 6) and (views[1] == 250).all()


def test_places_are_uniform_and_backgrounds_are_other_images():
    num = 3000
    regions = torch.tensor([[0.0, 0.0, 32.0, 16.0]]).repeat(num, 1)
    owner = torch.arange(num) % 3
    none = torch.empty(0, 4), torch.empty(0), torch.empty(0)
    pastes = sample_pastes(RegionImages(torch.zeros(3, 3, 64, 64), regions, owner, *none), 16)
    assert (pastes.background != owner).all()
    assert pastes.background.bincount().tolist() == pytest.approx([1000] * 3, rel=0.1)
    assert pastes.moved[:, 0].bincount().tolist() == pytest.approx([1000] * 3, rel=0.12)
    assert pastes.moved[:, 1].bincount().tolist() == pytest.approx([750] * 4, rel=0.12)
    assert (pastes.moved[:, 2:] - pastes.moved[:, :2] == torch.tensor([2, 1])).all()


def test_boxes_of_images_of_another_size_are_scaled_and_of_another_shape_dropped():
    boxes = [[10, 20, 50, 200]]
    assert relative_boxes(boxes, (100, 200), (50, 100)).tolist() == [[0.05, 0.2, 0.25, 1]]
    assert len(relative_boxes(boxes, (100, 200), (200, 100))) == len(relative_boxes(boxes, (0, 0), (50, 100))) == 0


def test_regions_and_objects_of_annotated_images(tmp_path):
    paths, entries, found = [], [], []
    for number in range(9):
        paths.append(tmp_path / f'{number}.png')
        Image.fromarray(np.full((100, 200, 3), 20 * number, np.uint8)).save(paths[-1])
        entries.append(dict(id=number, file_name=f'{number}.png', height=100, width=200))
        # as regions: the first one; as objects: the first two; the last one is too small
        found += [
            dict(image_id=number, category_id=number, bbox=box)
            for box in ([20, 10, 80, 50], [0, 0, 200, 100], [5, 5, 20, 40])
            if number
        ]
    (tmp_path / 'a.json').write_text(json.dumps(dict(images=entries, annotations=found)))
    names = [path.name for path in paths]
    images, counts, unreadable = collect_region_images(
        paths, names, RegionSource(names, None, tmp_path / 'a.json'), 128, 20
    )
    assert counts == dict(num_images=9, num_grid_fallbacks=1, num_without_region=0, num_unreadable=0)
    order = images.views[:, 0, 0, 0] // 20
    assert sorted(order.tolist()) == list(range(9)) and not unreadable
    assert torch.equal(order[images.objects_image], images.labels) and len(images.labels) == 16
    with_regions = images.regions_view[order[images.regions_image] > 0]
    assert np.allclose(with_regions, [[12.8, 12.8, 64, 76.8]] * 8)
    assert (images.regions_image == (order == 0).nonzero()[0, 0]).sum() == 3
    with pytest.raises(UserError, match='a.json contains none of the 1 images'):
        RegionSource(['b.png'], None, tmp_path / 'a.json')


def test_names_are_relative_to_the_folder_or_to_that_of_the_list(tmp_path, monkeypatch):
    assert relative_names([tmp_path / 'a' / 'b.png'], tmp_path) == ['a/b.png']
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'list.txt').write_text('a/b.png')
    assert relative_names(['a/b.png', tmp_path / 'c.png'], 'list.txt') == ['a/b.png', 'c.png']
