# D3SSL for two CPU cores on generated scenes: the 4-block ViT of gtsa_quickstart.py, 64 px views, random grid regions
# (no proposals needed).
_base_ = [
    '_base_/models/d3ssl_vits16.py',
    '_base_/datasets/d3ssl_regions.py',
    '_base_/schedules/adamw_100e.py',
    '_base_/models/vit_tiny_d4.py',
]
model = dict(
    backbone=dict(arch=dict(_delete_=True, **_base_._arch), img_size=128, patch_size=8),
    neck=dict(hidden_channels=512, out_channels=128),
    head=dict(predictor=dict(hidden_channels=512, out_channels=128)),
)
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    dataset=dict(
        data_root='data/scenes/',
        data_prefix='images/train/',
        pipeline=dict(views=dict(size=64), x2_small=dict(size=32)),
    ),
)
train_cfg = dict(max_epochs=20)
default_hooks = dict(
    schedule=dict(learning_rate=dict(base=0.0005, batch=16), warmup_epochs=2),
    logger=dict(interval=10),
    collapse_monitor=dict(interval=20),
)
