# A linear layer on a frozen ViT-S/16 with its final LayerNorm. The backbone has neither dropout nor drop path, so its
# features are the same in training and evaluation mode.
_base_ = 'classifier_vits16.py'

model = dict(
    data_preprocessor=dict(num_classes=1000),
    backbone=dict(drop_path_rate=0.0, frozen_stages=12),
    head=dict(
        type='LinearClsHead', num_classes=1000, in_channels=384, loss=dict(type='CrossEntropyLoss', loss_weight=1.0)
    ),
)
