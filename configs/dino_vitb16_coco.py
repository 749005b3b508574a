# ViT-B/16: 768 wide, 12 heads; the baseline of gtsa_vitb16_coco.py.
_base_ = 'dino_vits16_coco.py'
model = dict(backbone=dict(arch='deit-base'))
