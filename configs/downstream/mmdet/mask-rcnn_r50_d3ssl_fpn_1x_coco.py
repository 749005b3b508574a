# Mask R-CNN (FPN) on a D3SSL-pretrained ResNet-50, COCO, 1x: SoCo's protocol on 8 GPUs x 2 images. BN everywhere, in
# training mode and over all GPUs, nothing frozen.
#
#   weights:  --cfg-options model.backbone.init_cfg.checkpoint=r50_mmdet.pth   (without it: random weights)
#   data:     DATA_ROOT=/data/coco in the environment, or each on its own by --cfg-options:
#             train_dataloader.dataset.data_root=R val_dataloader.dataset.data_root=R
#             test_dataloader.dataset.data_root=R val_evaluator.ann_file=R/annotations/instances_val2017.json
#             test_evaluator.ann_file=R/annotations/instances_val2017.json
#   another number of GPUs: set train_dataloader.batch_size so that the total is 16, or give --auto-scale-lr
_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    '../_base_/mmdet_coco-instance_ms.py',
    '../_base_/mmdet_schedule-1x_sgd.py',
    '../_base_/mmdet_runtime.py',
]

norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmssl_geo.SSLResNet',
        depth=50,
        out_indices=(0, 1, 2, 3),
        init_cfg=dict(type='Pretrained', checkpoint=None)),
    neck=dict(norm_cfg=norm_cfg),
    roi_head=dict(
        bbox_head=dict(type='Shared4Conv1FCBBoxHead', conv_out_channels=256, norm_cfg=norm_cfg),
        mask_head=dict(norm_cfg=norm_cfg)))

train_dataloader = dict(batch_size=2)
