# mask-rcnn_vits16_gtsa_fpn_1x_coco.py with ViT-B/16 (our choice: the authors report ViT-S only).
_base_ = 'mask-rcnn_vits16_gtsa_fpn_1x_coco.py'

model = dict(
    backbone=dict(arch='deit-base'),
    neck=[
        dict(type='mmssl_geo.ViTPyramid', channels=768),
        dict(type='FPN', in_channels=[768, 768, 768, 768], out_channels=256, num_outs=5),
    ],
)
