# Semantic FPN with a small head on the six-block ViT of configs/*_vitt16-d6_*.py, CamVid: small enough to compare
# pretrainings over several seeds on two CPU cores (800 iterations of 8 crops, bfloat16).
#
# Weights and data: see semfpn_vitt16_small_camvid-360x480.py.
_base_ = ['semfpn_vitt16_small_camvid-360x480.py', '../../_base_/models/vit_tiny_d6.py']

crop_size = (256, 256)
model = dict(
    data_preprocessor=dict(size=crop_size),
    backbone=dict(arch=dict(_delete_=True, **_base_._arch), out_indices=[1, 2, 4, 5]),
    neck=dict(out_channels=64),
    # all maps have stride 16; unlike GTSA's head, this one does not upsample them, which saves time
    decode_head=dict(in_channels=[64, 64, 64, 64], feature_strides=[4, 4, 4, 4]),
)

train_dataloader = dict(
    num_workers=1,
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='RandomResize', scale=(480, 360), ratio_range=(0.75, 1.5), keep_ratio=True),
            dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PhotoMetricDistortion'),
            dict(type='PackSegInputs'),
        ]
    ),
)
val_dataloader = dict(num_workers=1)
test_dataloader = dict(num_workers=1)

train_cfg = dict(max_iters=800, val_interval=800)
val_cfg = dict(type='ValLoop', fp16=True)
test_cfg = dict(type='TestLoop', fp16=True)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=40),
    dict(type='PolyLR', power=1.0, eta_min=0.0, by_epoch=False, begin=40, end=800),
]
optim_wrapper = dict(
    type='mmssl_geo.AmpOptimWrapper',
    dtype='bfloat16',
    # better than 1 on the val split from all initial weights, random ones included (docs/benchmarks.md)
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.2))),
)
default_hooks = dict(checkpoint=dict(interval=800, max_keep_ckpts=1))
