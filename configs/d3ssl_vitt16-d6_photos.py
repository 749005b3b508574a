# D3SSL for a few hundred photos and two CPU cores: ViT-Ti/16 with six blocks, views of 128 and 64 px (as many pixels as
# in gtsa_vitt16-d6_photos.py), batch size 16, bfloat16.
_base_ = [
    '_base_/models/d3ssl_vits16.py',
    '_base_/datasets/d3ssl_regions.py',
    '_base_/schedules/adamw_100e.py',
    '_base_/models/vit_tiny_d6.py',
]
model = dict(
    backbone=dict(arch=dict(_delete_=True, **_base_._arch), img_size=112, drop_path_rate=0.0),
    neck=dict(hidden_channels=512, out_channels=128),
    head=dict(predictor=dict(hidden_channels=512, out_channels=128)),
)
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    dataset=dict(data_root='data/photos/', data_prefix='', pipeline=dict(views=dict(size=128), x2_small=dict(size=64))),
)
train_cfg = dict(max_epochs=40)
optim_wrapper = dict(dtype='bfloat16')
default_hooks = dict(
    schedule=dict(learning_rate=dict(base=5e-4, batch=None), warmup_epochs=2),
    logger=dict(interval=10),
    checkpoint=dict(interval=10),
    collapse_monitor=dict(interval=30),
)
