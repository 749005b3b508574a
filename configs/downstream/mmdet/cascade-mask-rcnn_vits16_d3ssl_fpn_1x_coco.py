# Cascade Mask R-CNN on a pretrained ViT-S/16 with layer decay, COCO, 1x: iBOT's protocol as D3SSL's authors run it, on
# 8 GPUs x 4 images.
#
#   weights:  CHECKPOINT=vits16_mmdet.pth in the environment (without it: random weights), or by --cfg-options
#             model.backbone.init_cfg.checkpoint=vits16_mmdet.pth
#   data:     as in mask-rcnn_vits16_gtsa_fpn_1x_coco.py
#   another number of GPUs: set train_dataloader.batch_size so that the total is 32, or give --auto-scale-lr
_base_ = [
    '_base_/models/cascade-mask-rcnn_vits16.py',
    '_base_/datasets/coco-instance_detr.py',
    '_base_/schedules/1x_layer-decay.py',
    '_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=4)
