# GTSA for two CPU cores on generated scenes: 4 blocks, width 192, patch size 8, 2 x 64 px and 4 x 32 px views. It uses
# the recipe for few photos (docs/small_data.md), since there are few scenes and few steps.
_base_ = ['gtsa_vits16_small-data.py', '_base_/models/vit_tiny_d4.py']
model = dict(
    backbone=dict(arch=dict(_delete_=True, **_base_._arch), img_size=128, patch_size=8),
    neck=dict(out_channels=128),
    head=dict(predictor=dict(out_channels=128), rotation_head=dict(hidden_channels=(128, 128, 64))),
)
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    dataset=dict(
        data_root='data/scenes/',
        data_prefix='images/train/',
        pipeline=dict(crop=dict(global_size=64, local_size=32, num_local=4)),
    ),
)
train_cfg = dict(max_epochs=40)
default_hooks = dict(logger=dict(interval=10), collapse_monitor=dict(interval=20))
