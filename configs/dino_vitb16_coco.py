# Baseline of gtsa_vitb16_coco.py: DINO on ViT-B/16.
_base_ = 'dino_vits16_coco.py'
model = dict(backbone=dict(arch='deit-base'))
