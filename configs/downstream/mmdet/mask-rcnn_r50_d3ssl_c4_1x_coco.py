# Mask R-CNN (C4) on a D3SSL-pretrained ResNet-50, COCO, 1x: SoCo's protocol, 8 GPUs x 2 images, SyncBN.
#
# Weights: CHECKPOINT=r50_mmdet.pth in the environment (default: random weights). To set it by --cfg-options:
# model.backbone.init_cfg.checkpoint=FILE model.roi_head.shared_head.init_cfg.checkpoint=FILE.
# Data: DATA_ROOT=/data/coco in the environment.
# Batch: 16 images in total; on another number of GPUs, set train_dataloader.batch_size or use --auto-scale-lr.
_base_ = [
    '_base_/models/mask-rcnn_r50-c4.py',
    '_base_/datasets/coco-instance_ms.py',
    '_base_/schedules/1x_sgd.py',
    '_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=2)
