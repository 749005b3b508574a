# Cascade Mask R-CNN on a pretrained ViT-S/16 with layer decay, COCO, 1x: iBOT's protocol as run by D3SSL's authors,
# 8 GPUs x 4 images.
#
# Weights: CHECKPOINT=vits16_mmdet.pth in the environment (default: random weights).
# Data: DATA_ROOT=/data/coco in the environment.
# Batch: 32 images in total; on another number of GPUs, set train_dataloader.batch_size or use --auto-scale-lr.
_base_ = [
    '_base_/models/cascade-mask-rcnn_vits16.py',
    '_base_/datasets/coco-instance_detr.py',
    '_base_/schedules/1x_layer-decay.py',
    '_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=4)
