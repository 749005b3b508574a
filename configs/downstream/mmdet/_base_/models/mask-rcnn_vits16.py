# GTSA's detector: Mask R-CNN on the maps of blocks 4, 6, 8 and 12 of ViT-S/16 without the final LayerNorm.
_base_ = 'mmdet::_base_/models/mask-rcnn_r50_fpn.py'
import os  # noqa: E402  (after _base_: mmengine 0.10.7 takes an earlier import for another kind of config)

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmssl_geo.SSLVisionTransformer',
        arch='deit-small',
        img_size=224,
        patch_size=16,
        drop_path_rate=0.05,
        out_indices=[3, 5, 7, 11],
        out_type='featmap',
        final_norm=False,
        init_cfg=dict(type='Pretrained', checkpoint=os.environ.get('CHECKPOINT')),
    ),
    neck=[
        dict(type='mmssl_geo.ViTPyramid', channels=384),
        dict(type='FPN', in_channels=[384, 384, 384, 384], out_channels=256, num_outs=5),
    ],
)
