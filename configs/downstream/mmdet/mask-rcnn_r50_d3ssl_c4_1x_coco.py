# Mask R-CNN (C4) on a D3SSL-pretrained ResNet-50, COCO, 1x: SoCo's protocol on 8 GPUs x 2 images. RoIs are pooled from
# C4 and go through res5, as in pretraining. BN in training mode and over all GPUs, nothing frozen.
#
#   weights:  one file twice, C4 and res5 take their parts of it (without it: random weights):
#             --cfg-options model.backbone.init_cfg.checkpoint=r50_mmdet.pth
#             model.roi_head.shared_head.init_cfg.checkpoint=r50_mmdet.pth
#   data, another number of GPUs: as in mask-rcnn_r50_d3ssl_fpn_1x_coco.py
_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50-caffe-c4.py',
    '../_base_/mmdet_coco-instance_ms.py',
    '../_base_/mmdet_schedule-1x_sgd.py',
    '../_base_/mmdet_runtime.py',
]

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
        init_cfg=dict(type='Pretrained', checkpoint=None)),
    roi_head=dict(
        shared_head=dict(
            _delete_=True,
            type='mmssl_geo.SSLRes5',
            depth=50,
            init_cfg=dict(type='Pretrained', checkpoint=None))))

train_dataloader = dict(batch_size=2)
