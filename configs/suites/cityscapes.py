# Segmentation on Cityscapes, for checkpoints of ViT-S/16. Without checkpoints, GTSA and DINO are pretrained on COCO.
_base_ = ['_base_/protocols.py', '_base_/coco_recipes.py']

seeds = 3
tasks = ['semfpn_vits16_40k_cityscapes']
recipes = dict(gtsa=_base_.gtsa, dino=_base_.dino)
baselines = ['scratch', 'dino']
