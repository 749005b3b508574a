import numpy as np
import pytest
import torch

from mmssl_geo.evaluation.geometry import extract_features, make_views
from mmssl_geo.geometry import intersect_boxes
from mmssl_geo.utils.errors import UserError
from tests.support.features import coordinate_image, noise_image

IMAGES = [coordinate_image(240, 320), coordinate_image(300, 200), noise_image(0, 64, 64)]


def areas(boxes):
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def test_crops_are_as_large_as_documented_and_overlap():
    views = make_views([coordinate_image(200, 400)] * 100, 32)
    share = areas(views.crop_boxes_src) / (200 * 400)
    assert 0.29 < share.min() < 0.35 and 0.6 < share.max() <= 0.67  # at most 4/3 of the height
    common = areas(intersect_boxes(views.crop_boxes_src[:, 0], views.crop_boxes_src[:, 1]))
    assert (common > 0.1 * 200 * 400).all()
    assert set(views.turns.tolist()) == {1, 2, 3}


def test_views_show_their_boxes():
    """On a coordinate image the first and last column of a view hold the crop's left and right edge, in 255ths."""
    views = make_views(IMAGES[:2], 112)
    for number, image in enumerate(IMAGES[:2]):
        height, width = image.shape[:2]
        for view, box in zip((views.first, views.second), views.crop_boxes_src[number], strict=True):
            x1, y1, x2, y2 = box.tolist()
            red, green = view[number, :2].float()
            assert red[:, 0].mean().item() == pytest.approx(255 * x1 / width, abs=3)
            assert red[:, -1].mean().item() == pytest.approx(255 * x2 / width, abs=3)
            assert green[0].mean().item() == pytest.approx(255 * y1 / height, abs=3)
            assert green[-1].mean().item() == pytest.approx(255 * y2 / height, abs=3)
        side = min(height, width)
        edges = 255 * np.array([(width - side) / 2 / width, (width + side) / 2 / width])
        assert views.squares[number, 0, 5, [0, -1]].tolist() == pytest.approx(edges, abs=3)
        edges = 255 * np.array([(height - side) / 2 / height, (height + side) / 2 / height])
        assert views.squares[number, 1, [0, -1], 5].tolist() == pytest.approx(edges, abs=3)


def test_the_seed_decides():
    first, again, other = (make_views(IMAGES, 32, seed) for seed in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.crop_boxes_src, other.crop_boxes_src)
    assert all(view.dtype == torch.uint8 and view.shape == (3, 3, 32, 32) for view in first[:3])


def test_an_image_of_one_column_has_views():
    views = make_views([noise_image(0, 400, 1)], 32)
    assert views.first.shape == (1, 3, 32, 32)


def test_features_are_of_normalised_views_in_all_turns():
    views = make_views(IMAGES, 28)
    batches = []
    features = extract_features(lambda images: images, views, 2, batches.append)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])

    def normalised(images):
        return (images / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)

    for turn in range(4):
        torch.testing.assert_close(
            features.rotated_squares[turn], torch.rot90(normalised(views.squares), turn, (-2, -1))
        )
    torch.testing.assert_close(features.first, normalised(views.first))
    torch.testing.assert_close(features.second, normalised(views.second))
    for number, turn in enumerate(views.turns.tolist()):
        torch.testing.assert_close(
            features.second_rotated[number], torch.rot90(normalised(views.second[number]), turn, (-2, -1))
        )
    assert batches == [2, 1] * 7 and sum(batches) == 7 * len(IMAGES)


@pytest.mark.parametrize(
    'function, sentence',
    [
        (lambda images: images[:, :, :1, :1], 'have 1 x 1 cells.*increase --size'),
        (lambda images: images[:, :, :4], 'have 4 x 28 cells'),
        (lambda images: images / 0, 'NaN or infinite'),
    ],
)
def test_features_that_cannot_be_measured_are_refused(function, sentence):
    with pytest.raises(UserError, match=sentence):
        extract_features(function, make_views(IMAGES, 28))
