# GTSA's classifier: the mean of ViT-S/16's patch tokens, without the backbone's final LayerNorm, then a LayerNorm and a
# linear layer of its own; mixup or CutMix in every batch, smoothed labels.
import os

model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True, num_classes=1010),
    backbone=dict(
        type='mmssl_geo.SSLVisionTransformer',
        arch='deit-small',
        img_size=224,
        patch_size=16,
        drop_path_rate=0.1,
        out_type='featmap',
        final_norm=False,
        init_cfg=dict(type='Pretrained', checkpoint=os.environ.get('CHECKPOINT'))),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='mmssl_geo.NormLinearClsHead',
        num_classes=1010,
        in_channels=384,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original', num_classes=1010)),
    train_cfg=dict(augments=[dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)]))
