# Faster R-CNN on ResNet-18 for boxes without masks, in any small folder in COCO's layout, on one GPU or a CPU.
#
# Weights: CHECKPOINT=r18_mmdet.pth in the environment (default: random weights).
# Data and classes: see faster-rcnn_vitt16_small_coco-style.py.
_base_ = 'faster-rcnn_vitt16_small_coco-style.py'
import os  # noqa: E402  (after _base_: mmengine 0.10.7 takes an earlier import for another kind of config)

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmssl_geo.SSLResNet',
        depth=18,
        out_indices=(0, 1, 2, 3),
        init_cfg=dict(type='Pretrained', checkpoint=os.environ.get('CHECKPOINT')),
    ),
    neck=dict(
        _delete_=True,
        type='FPN',
        in_channels=[64, 128, 256, 512],
        out_channels=128,
        num_outs=5,
        norm_cfg=dict(type='BN'),
    ),
)
