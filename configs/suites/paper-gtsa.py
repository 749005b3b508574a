# GTSA's three tables (arXiv 2304.08014): ViT-S/16, 100 epochs on COCO, against DINO.
_base_ = ['_base_/protocols.py', '_base_/coco_recipes.py']

tasks = ['mask-rcnn_vits16_1x_coco', 'semfpn_vits16_40k_ade20k', 'finetune_vits16_300e_inat19']
recipes = dict(gtsa=_base_.gtsa, dino=_base_.dino)
baselines = ['dino']
