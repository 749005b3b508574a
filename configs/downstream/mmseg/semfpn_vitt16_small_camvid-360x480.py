# Semantic FPN with a slim head on ViT-Ti/16 for CamVid's layout: a first look (about 35 epochs). An iteration takes
# about 4.6 s on one CPU core; `--cfg-options train_cfg.max_iters=200 train_cfg.val_interval=200` for a shorter one.
#
#   weights:  CHECKPOINT=vitt16_mmseg.pth in the environment (without it: random weights), or by --cfg-options
#             model.backbone.init_cfg.checkpoint=vitt16_mmseg.pth
#   data:     DATA_ROOT=/data/camvid in the environment, or by --cfg-options
#             train_dataloader.dataset.data_root=R val_dataloader.dataset.data_root=R
#             test_dataloader.dataset.data_root=R
_base_ = [
    '_base_/models/semfpn_vits16.py',
    '_base_/datasets/camvid-360x480.py',
    '_base_/schedules/40k.py',
    '_base_/default_runtime.py',
]

model = dict(
    # 360 is no multiple of the patch: pad to the next one, so that the prediction is not stretched
    data_preprocessor=dict(size=(368, 480), test_cfg=dict(size_divisor=16)),
    backbone=dict(arch='deit-tiny', img_size=224),
    neck=dict(in_channels=[192, 192, 192, 192], out_channels=128),
    decode_head=dict(in_channels=[128, 128, 128, 128], channels=64, num_classes=11))

train_cfg = dict(max_iters=1600, val_interval=400)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=100),
    dict(type='PolyLR', power=1.0, eta_min=0.0, by_epoch=False, begin=0, end=1600),
]
optim_wrapper = dict(optimizer=dict(lr=5e-4))

default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=400))
