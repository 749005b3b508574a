# Detection and instance segmentation on COCO, for checkpoints of ResNet-50. Without checkpoints, D3SSL and its baseline
# are pretrained.
_base_ = ['_base_/protocols.py', '_base_/coco_recipes.py']

tasks = [
    'mask-rcnn_r50-c4_1x_coco',
    'mask-rcnn_r50-c4_2x_coco',
    'mask-rcnn_r50-fpn_1x_coco',
    'mask-rcnn_r50-fpn_2x_coco',
]
recipes = dict(d3ssl=_base_.d3ssl, base=_base_.base)
baselines = ['scratch', 'base']
