# GTSA on ViT-B/16, which the official code does not support. All head widths follow the backbone.
_base_ = 'gtsa_vits16_coco.py'
model = dict(backbone=dict(arch='deit-base'))
