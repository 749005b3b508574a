# Linear segmentation: one 1x1 convolution on the last map of a frozen ViT-S/16, after its final LayerNorm. The backbone
# has neither dropout nor drop path, so training and evaluation mode give the same features.
import os

model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=(512, 512)),
    backbone=dict(
        type='mmssl_geo.SSLVisionTransformer',
        arch='deit-small',
        img_size=512,
        patch_size=16,
        drop_path_rate=0.0,
        out_type='featmap',
        frozen_stages=12,
        init_cfg=dict(type='Pretrained', checkpoint=os.environ.get('CHECKPOINT'))),
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
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0)),
    train_cfg=dict(),
    test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(341, 341)))
