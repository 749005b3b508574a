# A classifier on the mean of ViT-S/16's patch tokens, without a head. CHECKPOINT in the environment names the weights.
_base_ = []  # before the import, which mmengine 0.10.7 takes for a sign of another kind of config
import os  # noqa: E402

model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True),
    backbone=dict(
        type='mmssl_geo.SSLVisionTransformer',
        arch='deit-small',
        img_size=224,
        patch_size=16,
        out_type='featmap',
        init_cfg=dict(type='Pretrained', checkpoint=os.environ.get('CHECKPOINT')),
    ),
    neck=dict(type='GlobalAveragePooling'),
)
