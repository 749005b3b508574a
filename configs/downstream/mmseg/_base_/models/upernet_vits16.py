# iBOT's segmenter, which D3SSL's authors use for ViTs: UPerNet on the maps of blocks 4, 6, 8 and 12 of ViT-S/16. The
# final LayerNorm is applied to each of the four (their option `out_with_norm=true`), which are then resized to strides
# 4, 8, 16 and 32. The position embedding is resized once, to 512 pixels, and trained at that size.
_base_ = 'segmenter_vits16.py'

model = dict(
    backbone=dict(drop_path_rate=0.1, out_indices=[3, 5, 7, 11], norm_every_map=True),
    neck=dict(type='mmssl_geo.ViTPyramid', channels=384),
    decode_head=dict(
        type='UPerHead',
        in_channels=[384, 384, 384, 384],
        in_index=[0, 1, 2, 3],
        pool_scales=(1, 2, 3, 6),
        channels=384,
        dropout_ratio=0.1,
        num_classes=150,
        norm_cfg=dict(type='BN'),
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
    ),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=384,
        in_index=2,
        channels=256,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=150,
        norm_cfg=dict(type='BN'),
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=0.4),
    ),
    test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(341, 341)),
)
