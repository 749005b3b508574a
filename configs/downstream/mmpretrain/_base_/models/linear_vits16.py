# A linear layer on the mean of a frozen ViT-S/16's patch tokens after its final LayerNorm. The backbone has neither
# dropout nor drop path, so training and evaluation mode give the same features.
import os

model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True, num_classes=1000),
    backbone=dict(
        type='mmssl_geo.SSLVisionTransformer',
        arch='deit-small',
        img_size=224,
        patch_size=16,
        drop_path_rate=0.0,
        out_type='featmap',
        frozen_stages=12,
        init_cfg=dict(type='Pretrained', checkpoint=os.environ.get('CHECKPOINT'))),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead', num_classes=1000, in_channels=384, loss=dict(type='CrossEntropyLoss', loss_weight=1.0)))
