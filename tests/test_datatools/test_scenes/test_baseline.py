import numpy as np
import pytest
from PIL import Image

from mmssl_geo.datatools.scenes import best_constant_miou
from mmssl_geo.utils.errors import UserError


def save(folder, *maps):
    for number, content in enumerate(maps):
        Image.fromarray(np.array(content, np.uint8)).save(folder / f'{number}.png')


def brute_force(maps, num_classes):
    """mIoU of every constant prediction, intersections and unions counted one by one; pixels of 255 are ignored."""
    truth = np.concatenate([np.ravel(m) for m in maps])
    truth = truth[truth != 255]
    means = []
    for constant in range(num_classes):
        ious = []
        for k in range(num_classes):
            union = np.count_nonzero((truth == k) | (constant == k))
            if union:
                ious.append(np.count_nonzero((truth == k) & (constant == k)) / union)
        means.append(100 * np.mean(ious))
    return max(means), int(np.argmax(means))


@pytest.mark.parametrize('num_classes', [4, 6])
def test_equals_the_best_of_all_constant_predictions(tmp_path, num_classes):
    rng = np.random.default_rng(0)
    maps = [rng.choice([0, 1, 2, 3, 255], size=(9, 7 + k), p=[0.3, 0.1, 0.4, 0.1, 0.1]) for k in range(3)]
    save(tmp_path, *maps)
    expected, constant = brute_force(maps, num_classes)
    assert best_constant_miou(tmp_path, num_classes) == (pytest.approx(expected), constant)
    assert constant == 2


def test_wrong_folders_and_numbers_are_named(tmp_path):
    with pytest.raises(UserError, match='no semantic maps'):
        best_constant_miou(tmp_path, 4)
    save(tmp_path, [[255, 255]])
    with pytest.raises(UserError, match='no semantic maps .* with labelled pixels'):
        best_constant_miou(tmp_path, 4)
    save(tmp_path, [[0, 4]])
    with pytest.raises(UserError, match='class ids beyond the 4 classes'):
        best_constant_miou(tmp_path, 4)
