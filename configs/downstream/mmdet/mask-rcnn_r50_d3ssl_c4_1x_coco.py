# Mask R-CNN (C4) on a D3SSL-pretrained ResNet-50, COCO, 1x: SoCo's protocol on 8 GPUs x 2 images, BN over all GPUs.
#
#   weights:  CHECKPOINT=r50_mmdet.pth in the environment, C4 and res5 take their parts of it; or one file twice by
#             --cfg-options model.backbone.init_cfg.checkpoint=F model.roi_head.shared_head.init_cfg.checkpoint=F
#             (without either: random weights)
#   data, another number of GPUs: as in mask-rcnn_r50_d3ssl_fpn_1x_coco.py
_base_ = [
    '_base_/models/mask-rcnn_r50-c4.py',
    '_base_/datasets/coco-instance_ms.py',
    '_base_/schedules/1x_sgd.py',
    '_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=2)
