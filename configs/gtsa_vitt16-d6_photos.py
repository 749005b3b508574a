# GTSA for a few hundred photos and two CPU cores: ViT-Ti/16 with six blocks, 2 x 112 px and 4 x 48 px views, batch
# size 16, bfloat16.
_base_ = ['gtsa_vits16_coco.py', '_base_/models/vit_tiny_d6.py']
model = dict(
    backbone=dict(arch=dict(_delete_=True, **_base_._arch), img_size=112, drop_path_rate=0.0),
    neck=dict(out_channels=192),
    head=dict(predictor=dict(out_channels=192), rotation_head=dict(hidden_channels=(192, 192, 128))),
)
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    dataset=dict(
        data_root='data/photos/', data_prefix='', pipeline=dict(crop=dict(global_size=112, local_size=48, num_local=4))
    ),
)
train_cfg = dict(max_epochs=40)
optim_wrapper = dict(dtype='bfloat16')
default_hooks = dict(
    schedule=dict(learning_rate=dict(base=5e-4, batch=None), warmup_epochs=2),
    logger=dict(interval=10),
    checkpoint=dict(interval=10),
    collapse_monitor=dict(interval=30),
)
