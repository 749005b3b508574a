# Mask R-CNN with slim heads on ResNet-18, for any small folder laid out as COCO is: a first look on one GPU or a CPU.
# Weights, data and classes: as in mask-rcnn_vitt16_small_coco-style.py.
import os

_base_ = './mask-rcnn_vitt16_small_coco-style.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmssl_geo.SSLResNet',
        depth=18,
        out_indices=(0, 1, 2, 3),
        init_cfg=dict(type='Pretrained', checkpoint=os.environ.get('CHECKPOINT'))),
    neck=dict(
        _delete_=True, type='FPN', in_channels=[64, 128, 256, 512], out_channels=128, num_outs=5,
        norm_cfg=dict(type='BN')))
