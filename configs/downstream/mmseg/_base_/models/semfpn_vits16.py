# GTSA's segmenter: Semantic FPN on the maps of blocks 3, 6, 9 and 12 of ViT-S/16 without the final LayerNorm. All four
# maps keep stride 16; the head treats them as strides 4, 8, 16 and 32, as in the authors' code.
_base_ = 'segmenter_vits16.py'

model = dict(
    backbone=dict(drop_path_rate=0.0, out_indices=[2, 5, 8, 11], final_norm=False),
    neck=dict(type='FPN', in_channels=[384, 384, 384, 384], out_channels=256, num_outs=4),
    decode_head=dict(
        type='FPNHead',
        in_channels=[256, 256, 256, 256],
        in_index=[0, 1, 2, 3],
        feature_strides=[4, 8, 16, 32],
        channels=128,
        dropout_ratio=0.1,
        num_classes=150,
        norm_cfg=dict(type='BN'),
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
    ),
)
