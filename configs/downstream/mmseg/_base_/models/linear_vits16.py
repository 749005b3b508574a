# Linear segmentation: a 1x1 convolution on the last map of a frozen ViT-S/16, after its final LayerNorm. The backbone
# has neither dropout nor drop path, so its features are the same in training and evaluation mode.
_base_ = 'segmenter_vits16.py'

model = dict(
    backbone=dict(drop_path_rate=0.0, frozen_stages=12),
    decode_head=dict(
        type='FCNHead',
        in_channels=384,
        in_index=0,
        channels=384,
        num_convs=0,
        concat_input=False,
        dropout_ratio=0.0,
        num_classes=150,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
    ),
    test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(341, 341)),
)
