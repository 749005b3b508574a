# Semantic FPN with a small head on ViT-Ti/16, CamVid, about 35 epochs. An iteration takes about 4.6 s on one CPU core;
# for a shorter run, set train_cfg.max_iters=200 train_cfg.val_interval=200.
#
# Weights: CHECKPOINT=vitt16_mmseg.pth in the environment (default: random weights).
# Data: DATA_ROOT=/data/camvid in the environment.
_base_ = [
    '_base_/models/semfpn_vits16.py',
    '_base_/datasets/camvid-360x480.py',
    '_base_/schedules/40k.py',
    '_base_/default_runtime.py',
]

model = dict(
    # 360 is not a multiple of the patch size: pad to the next one, so that predictions are not stretched
    data_preprocessor=dict(size=(368, 480), test_cfg=dict(size_divisor=16)),
    backbone=dict(arch='deit-tiny', img_size=224),
    neck=dict(in_channels=[192, 192, 192, 192], out_channels=128),
    decode_head=dict(in_channels=[128, 128, 128, 128], channels=64, num_classes=11),
)

train_cfg = dict(max_iters=1600, val_interval=400)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=100),
    dict(type='PolyLR', power=1.0, eta_min=0.0, by_epoch=False, begin=0, end=1600),
]
optim_wrapper = dict(optimizer=dict(lr=5e-4))

default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=400))
