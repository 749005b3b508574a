# GTSA's classifier: the backbone without its final LayerNorm, a LayerNorm and a linear layer, with mixup or CutMix in
# every batch and label smoothing.
_base_ = 'classifier_vits16.py'

model = dict(
    data_preprocessor=dict(num_classes=1010),
    backbone=dict(drop_path_rate=0.1, final_norm=False),
    head=dict(
        type='mmssl_geo.NormLinearClsHead',
        num_classes=1010,
        in_channels=384,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original', num_classes=1010),
    ),
    train_cfg=dict(augments=[dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)]),
)
