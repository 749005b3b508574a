# Detection and instance segmentation on COCO, for checkpoints of ViT-S/16. Without checkpoints, GTSA and DINO are
# pretrained.
_base_ = ['_base_/protocols.py', '_base_/coco_recipes.py']

tasks = ['mask-rcnn_vits16_1x_coco', 'cascade-mask-rcnn_vits16_1x_coco']
recipes = dict(gtsa=_base_.gtsa, dino=_base_.dino)
baselines = ['scratch', 'dino']
