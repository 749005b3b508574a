"""MoCo's detection protocol on PASCAL VOC: settings, and how AP, AP50 and AP75 are formed."""

import mmdet.registry
import pytest
import torch

from .test_protocol import learning_rates
from .test_resnet_configs import VOC


def test_mocos_voc_detector(load_config):
    cfg = load_config(VOC)
    assert (cfg.model.type, cfg.model.roi_head.bbox_head.num_classes, cfg.model.roi_head.mask_head) == (
        'FasterRCNN',
        20,
        None,
    )
    assert cfg.model.roi_head.shared_head.extra_norm and cfg.sync_bn == 'torch'
    assert (cfg.train_cfg.max_iters, cfg.train_dataloader.batch_size, cfg.optim_wrapper.optimizer.lr) == (
        24000,
        2,
        0.02,
    )
    assert [scale[0] for scale in cfg.train_dataloader.dataset.datasets[1].pipeline[2].scales] == list(
        range(480, 801, 32)
    )
    rates = learning_rates(cfg, 24000, 1, (0, 50, 100, 17999, 18000, 21999, 22000, 23999))
    assert rates == pytest.approx(
        [2e-5, 0.02 * (0.001 + 0.999 * 50 / 99), 0.02, 0.02, 2e-3, 2e-3, 2e-4, 2e-4], rel=1e-6
    )


@pytest.fixture
def evaluate(load_config):
    """Metrics of one image with two aeroplanes, 100 x 100 pixels each, for the boxes and scores predicted."""
    metric = mmdet.registry.METRICS.build(load_config(VOC).test_evaluator)
    metric.dataset_meta = dict(mmdet.datasets.VOCDataset.METAINFO, dataset_type='VOC2007')

    def run(boxes, scores):
        truth = dict(
            bboxes=torch.tensor([[0.0, 0, 99, 99], [200, 0, 299, 99]]), labels=torch.zeros(2, dtype=torch.long)
        )
        nothing = dict(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
        found = dict(
            bboxes=torch.tensor(boxes), labels=torch.zeros(len(boxes), dtype=torch.long), scores=torch.tensor(scores)
        )
        metric.process({}, [dict(gt_instances=truth, ignored_instances=nothing, pred_instances=found)])
        return metric.evaluate(1)

    return run


def test_ap_is_the_mean_over_ten_overlaps(evaluate):
    # IoU 0.72 twice: right at 0.5, 0.55, 0.6, 0.65 and 0.7, wrong at the five higher ones
    metrics = evaluate([[0.0, 0, 99, 71], [200, 0, 299, 71]], [0.9, 0.8])
    assert (metrics['pascal_voc/AP50'], metrics['pascal_voc/AP70'], metrics['pascal_voc/AP75']) == (1, 1, 0)
    assert metrics['pascal_voc/mAP'] == pytest.approx(0.5)


def test_each_ap_has_eleven_points(evaluate):
    # one of two found: precision 1 at recalls 0, 0.1, ..., 0.5, which are 6 of 11 (COCO: 51 of 101; area: 1/2)
    metrics = evaluate([[0.0, 0, 99, 99]], [0.9])
    assert metrics['pascal_voc/mAP'] == pytest.approx(6 / 11) and metrics['pascal_voc/AP75'] == 0.545
