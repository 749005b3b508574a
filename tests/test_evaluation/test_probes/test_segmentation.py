import numpy as np
import pytest
import torch

from mmssl_geo.evaluation.probes.segmentation import (
    SegmentationProbe,
    confusion_matrix,
    majority_labels,
    segmentation_scores,
)
from mmssl_geo.utils.errors import UserError
from tests.support.labelled_images import COLOURS, MeanColour, save, write_label_maps


def probe(tmp_path, size=64, num_train=4, **options):
    return SegmentationProbe(
        write_label_maps(tmp_path / 'train', num_train),
        write_label_maps(tmp_path / 'val', 5, seed=1),
        3,
        size=size,
        **options,
    )


def test_majority_of_the_labelled_pixels_of_a_cell():
    labels = torch.tensor([[0, 0, 2, 255, 1, 1], [0, 1, 255, 255, 2, 2], [1, 1, 255, 255, 2, 0]], dtype=torch.uint8)
    # by centres the second row (1.5 of 3) belongs to the lower cells
    assert majority_labels(labels, (2, 3), 3).tolist() == [[0, 2, 1], [1, 255, 2]]
    assert majority_labels(labels, (1, 1), 3).tolist() == [[1]]  # 4, 5 and 4 pixels
    assert majority_labels(labels[:1, :2], (2, 2), 3).tolist() == [[255, 255], [0, 0]]  # more cells than pixels


def test_confusion_matrix_by_hand():
    labels = torch.tensor([[0, 0, 1], [2, 255, 1]], dtype=torch.uint8)
    predictions = torch.tensor([[0, 1, 1], [0, 2, 1]])
    assert confusion_matrix(labels, predictions, 4).tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_scores_by_hand_with_absent_classes():
    # class 2 is predictions, never true: it counts in mIoU as 0; class 3 is neither
    matrix = torch.tensor([[3, 1, 1, 0], [0, 5, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    scores = segmentation_scores(matrix)
    assert scores['mIoU'] == pytest.approx(((3 / 5 + 5 / 6 + 0) / 3, 0.5 / 2))
    assert scores['mAcc'] == pytest.approx(((3 / 5 + 1) / 2, 1 / 2))
    assert scores['aAcc'] == pytest.approx((0.8, 0.5))
    with pytest.raises(UserError, match='no pixel of the validation images is labelled'):
        segmentation_scores(torch.zeros(3, 3, dtype=torch.long))


def test_scores_are_those_of_mmseg():
    from mmseg.evaluation.metrics import IoUMetric

    labels = torch.randint(0, 4, (30, 40)) * 2  # odd classes are never true
    predictions = torch.where(torch.rand(30, 40) < 0.6, labels, torch.randint(0, 7, (30, 40)))
    labels[:5] = 255
    areas = IoUMetric.intersect_and_union(predictions, labels, 9, 255)
    theirs = IoUMetric.total_area_to_metrics(*areas)
    ours = segmentation_scores(confusion_matrix(labels.to(torch.uint8), predictions, 9))
    iou, accuracy = (torch.as_tensor(theirs[key]).nanmean().item() for key in ('IoU', 'Acc'))
    assert (ours['mIoU'][0], ours['mAcc'][0], ours['aAcc'][0]) == pytest.approx((iou, accuracy, float(theirs['aAcc'])))


def test_colours_that_encode_the_class_are_segmented(tmp_path):
    # blocks of 16 x 16 pixels of 48 x 64 are more than 2 x 2 cells of the view
    (result,) = probe(tmp_path).evaluate(MeanColour(), [0])
    # all but the blur of upsampling, at most half a cell at each border
    assert result['aAcc'][0] > 0.9 and result['mIoU'][0] > 0.8
    assert result['mIoU'][1] < 0.2 and result['mAcc'][1] == pytest.approx(1 / 3)


def test_pixels_of_one_class_an_image_are_all_right(tmp_path):
    for number in range(18):
        part, size = ('train', (20, 30)) if number < 12 else ('val', (31, 17))
        save(tmp_path / part / 'images' / f'{number}.png', np.full((*size, 3), COLOURS[number % 3], np.uint8))
        save(tmp_path / part / 'labels' / f'{number}.png', np.full(size, number % 3, np.uint8))
    folders = [(tmp_path / part / 'images', tmp_path / part / 'labels') for part in ('train', 'val')]
    (result,) = SegmentationProbe(*folders, 3, size=32).evaluate(MeanColour(), [0])
    assert result == dict(
        mIoU=(1.0, pytest.approx(1 / 9)), mAcc=(1.0, pytest.approx(1 / 3)), aAcc=(1.0, pytest.approx(1 / 3))
    )


def test_labels_unrelated_to_the_image_are_predicted_at_chance(tmp_path):
    for part, seed in (('train', 0), ('val', 5)):
        folders = write_label_maps(tmp_path / part, 12, seed)
        write_label_maps(tmp_path / 'other', 12, seed + 1)
        for path in (tmp_path / 'other' / 'labels').iterdir():
            path.rename(folders[1] / path.name)
    folders = [(tmp_path / part / 'images', tmp_path / part / 'labels') for part in ('train', 'val')]
    (result,) = SegmentationProbe(*folders, 3, size=64).evaluate(MeanColour(), [0])
    assert result['aAcc'][0] == pytest.approx(1 / 3, abs=0.1)


def test_cells_are_bounded_and_unlabelled_ones_left_out(tmp_path):
    every = probe(tmp_path)
    draws = [every.train_subset(0)]
    features, labels, image = every.sample_cells(MeanColour(), draws, lambda number: None)[0]
    # 8 x 8 cells of four images; the first row of blocks of the first one (two and a half rows of cells) is ignored,
    # a cell that is half labelled counts
    assert len(features) == 4 * 64 - 2 * 8 and (labels < 3).all()
    assert image.bincount().tolist() == [48, 64, 64, 64]
    few = probe(tmp_path, num_cells=43)
    assert few.sample_cells(MeanColour(), draws, lambda number: None)[0][2].bincount().tolist() == [10] * 4


def test_seeds_draw_images(tmp_path):
    folders = [write_label_maps(tmp_path / part, 5, seed) for part, seed in (('train', 0), ('val', 1))]
    few = SegmentationProbe(*folders, 3, size=64, num_train=2)
    seen = []
    results = few.evaluate(MeanColour(), [0, 1, 2], seen.append)
    drawn = {int(number) for seed in range(3) for number in few.train_subset(seed)}
    assert sum(seen) == few.num_views([0, 1, 2]) == len(drawn) + 5 > 7
    assert len({result['aAcc'] for result in results}) > 1
    assert few.evaluate(MeanColour(), [0, 1, 2]) == results


def test_wrong_input_is_refused(tmp_path):
    folders = write_label_maps(tmp_path, 3)
    with pytest.raises(UserError, match='the validation images are the images the probe is trained on'):
        SegmentationProbe(folders, folders, 3)
    val = write_label_maps(tmp_path / 'val', 3)
    with pytest.raises(UserError, match='256 classes: must be 2 to 255'):
        SegmentationProbe(folders, val, 256)
    for path in folders[1].iterdir():
        save(path, torch.full((48, 64), 255, dtype=torch.uint8).numpy())
    with pytest.raises(UserError, match='0 of the training images have labelled pixels'):
        SegmentationProbe(folders, val, 3, size=32).evaluate(MeanColour(), [0])
