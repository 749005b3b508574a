# Mask R-CNN on a GTSA-pretrained ViT-S/16, COCO, 1x: the authors' protocol, 8 GPUs x 1 image.
#
# Weights: CHECKPOINT=vits16_mmdet.pth in the environment (default: random weights).
# Data: DATA_ROOT=/data/coco in the environment.
# Batch: 8 images in total; on another number of GPUs, set train_dataloader.batch_size or use --auto-scale-lr.
_base_ = [
    '_base_/models/mask-rcnn_vits16.py',
    '_base_/datasets/coco-instance_detr.py',
    '_base_/schedules/1x.py',
    '_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=1)

# the authors do not synchronise BN over GPUs; running statistics are averaged before evaluation
sync_bn = None
default_hooks = dict(sync_buffers=dict(type='SyncBuffersHook'))
