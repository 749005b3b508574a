# FCN with a small head on ResNet-18 at stride 16, CamVid, on one GPU or a CPU.
#
# Weights: CHECKPOINT=r18_mmseg.pth in the environment (default: random weights).
# Data: DATA_ROOT=/data/camvid in the environment.
_base_ = [
    '_base_/models/fcn_r50.py',
    '_base_/datasets/camvid-360x480.py',
    '_base_/schedules/40k_sgd.py',
    '_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(size=(360, 480)),
    backbone=dict(depth=18, strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2)),
    decode_head=dict(in_channels=512, channels=128, num_classes=11),
    auxiliary_head=dict(in_channels=256, channels=64, num_classes=11),
)

train_cfg = dict(max_iters=1600, val_interval=400)
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=1e-4, by_epoch=False, begin=0, end=1600)]

default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=400))
