# ViT-B/16: 768 wide, 12 heads; the official code cannot run it, all head widths follow the backbone here.
_base_ = 'gtsa_vits16_coco.py'
model = dict(backbone=dict(arch='deit-base'))
