# Mask R-CNN on a GTSA-pretrained ViT-S/16, COCO, 1x: the authors' protocol on 8 GPUs x 1 image.
#
#   weights:  CHECKPOINT=vits16_mmdet.pth in the environment (without it: random weights), or by --cfg-options
#             model.backbone.init_cfg.checkpoint=vits16_mmdet.pth
#   data:     DATA_ROOT=/data/coco in the environment, or each on its own by --cfg-options:
#             train_dataloader.dataset.data_root=R val_dataloader.dataset.data_root=R
#             test_dataloader.dataset.data_root=R val_evaluator.ann_file=R/annotations/instances_val2017.json
#             test_evaluator.ann_file=R/annotations/instances_val2017.json
#   another number of GPUs: set train_dataloader.batch_size so that the total is 8, or give --auto-scale-lr
_base_ = [
    '_base_/models/mask-rcnn_vits16.py',
    '_base_/datasets/coco-instance_detr.py',
    '_base_/schedules/1x.py',
    '_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=1)

# the authors' BN is each GPU's own; its running statistics are averaged before they are used
sync_bn = None
default_hooks = dict(sync_buffers=dict(type='SyncBuffersHook'))
