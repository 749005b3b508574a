# SoCo's Mask R-CNN on FPN (detectron2's): BN everywhere, in training mode; no stage is frozen; the box head has 4
# convolutions. Unlike detectron2, mmdet does not recompute BN statistics before an evaluation (PreciseBN).
_base_ = 'mmdet::_base_/models/mask-rcnn_r50_fpn.py'
import os  # noqa: E402  (after _base_: mmengine 0.10.7 takes an earlier import for another kind of config)

norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmssl_geo.SSLResNet',
        depth=50,
        out_indices=(0, 1, 2, 3),
        init_cfg=dict(type='Pretrained', checkpoint=os.environ.get('CHECKPOINT')),
    ),
    neck=dict(norm_cfg=norm_cfg),
    roi_head=dict(
        bbox_head=dict(type='Shared4Conv1FCBBoxHead', conv_out_channels=256, norm_cfg=norm_cfg),
        mask_head=dict(norm_cfg=norm_cfg),
    ),
    train_cfg=dict(rcnn=dict(assigner=dict(match_low_quality=False))),
)
