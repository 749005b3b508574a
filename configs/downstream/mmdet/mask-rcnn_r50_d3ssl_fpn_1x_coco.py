# Mask R-CNN (FPN) on a D3SSL-pretrained ResNet-50, COCO, 1x: SoCo's protocol on 8 GPUs x 2 images, BN over all GPUs.
#
#   weights:  CHECKPOINT=r50_mmdet.pth in the environment (without it: random weights), or by --cfg-options
#             model.backbone.init_cfg.checkpoint=r50_mmdet.pth
#   data:     DATA_ROOT=/data/coco in the environment, or each on its own by --cfg-options:
#             train_dataloader.dataset.data_root=R val_dataloader.dataset.data_root=R
#             test_dataloader.dataset.data_root=R val_evaluator.ann_file=R/annotations/instances_val2017.json
#             test_evaluator.ann_file=R/annotations/instances_val2017.json
#   another number of GPUs: set train_dataloader.batch_size so that the total is 16, or give --auto-scale-lr
_base_ = [
    '_base_/models/mask-rcnn_r50-fpn.py',
    '_base_/datasets/coco-instance_ms.py',
    '_base_/schedules/1x_sgd.py',
    '_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=2)
