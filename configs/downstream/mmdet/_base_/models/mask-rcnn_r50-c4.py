# SoCo's Mask R-CNN on C4 (detectron2's, with MoCo's extra BN after res5): RoIs are pooled from C4 and pass through
# res5, as in pretraining. BN is in training mode; no stage is frozen. CHECKPOINT names one file, from which C4 and res5
# take their parts. Unlike detectron2, mmdet does not recompute BN statistics before an evaluation (PreciseBN).
_base_ = 'mmdet::_base_/models/mask-rcnn_r50-caffe-c4.py'
import os  # noqa: E402  (after _base_: mmengine 0.10.7 takes an earlier import for another kind of config)

weights = dict(type='Pretrained', checkpoint=os.environ.get('CHECKPOINT'))
model = dict(
    # the statistics of pretraining, not Caffe's
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
    backbone=dict(
        _delete_=True,
        type='mmssl_geo.SSLResNet',
        depth=50,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(2,),
        init_cfg=weights,
    ),
    roi_head=dict(
        shared_head=dict(_delete_=True, type='mmssl_geo.SSLRes5', depth=50, extra_norm=True, init_cfg=weights)
    ),
    # as in detectron2: anchors may cross the image border
    train_cfg=dict(rpn=dict(allowed_border=-1)),
)
