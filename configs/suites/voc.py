# Detection (07+12) and segmentation (12 with SBD) on PASCAL VOC, for checkpoints of ResNet-50. Without checkpoints,
# D3SSL and its baseline are pretrained on COCO.
_base_ = ['_base_/protocols.py', '_base_/coco_recipes.py']

seeds = 5
tasks = ['faster-rcnn_r50-c4_24k_voc0712', 'fcn_r50_30k_voc12aug']
recipes = dict(d3ssl=_base_.d3ssl, base=_base_.base)
baselines = ['scratch', 'base']
