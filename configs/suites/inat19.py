# Classification on iNaturalist 2019, for checkpoints of ViT-S/16. Without checkpoints, GTSA and DINO are pretrained on
# COCO.
_base_ = ['_base_/protocols.py', '_base_/coco_recipes.py']

tasks = ['finetune_vits16_300e_inat19', 'linear_vits16_100e_inat19']
recipes = dict(gtsa=_base_.gtsa, dino=_base_.dino)
baselines = ['scratch', 'dino']
