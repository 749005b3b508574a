# SoCo's Mask R-CNN on C4 (detectron2's, with MoCo's extra BN behind res5): RoIs are pooled from C4 and go through res5,
# as in pretraining. BN in training mode, nothing frozen. CHECKPOINT names one file; C4 and res5 take their parts of it.
# What detectron2 adds and mmdet lacks: BN statistics are not measured anew before an evaluation (PreciseBN).
import os

_base_ = 'mmdet::_base_/models/mask-rcnn_r50-caffe-c4.py'

weights = dict(type='Pretrained', checkpoint=os.environ.get('CHECKPOINT'))
model = dict(
    # what the net was pretrained with, not Caffe's
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
    backbone=dict(
        _delete_=True,
        type='mmssl_geo.SSLResNet',
        depth=50,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(2, ),
        init_cfg=weights),
    roi_head=dict(
        shared_head=dict(_delete_=True, type='mmssl_geo.SSLRes5', depth=50, extra_norm=True, init_cfg=weights)),
    train_cfg=dict(rpn=dict(allowed_border=-1)))  # as detectron2: anchors may leave the image
