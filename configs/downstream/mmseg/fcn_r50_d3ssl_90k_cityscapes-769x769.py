# FCN-16s on a D3SSL-pretrained ResNet-50, Cityscapes, 90k iterations: the protocol of MoCo's paper (appendix A.5), 8
# GPUs x 2 images, evaluated on whole images. The paper reports the mean of 5 runs.
#
# Weights: CHECKPOINT=r50_mmseg.pth in the environment (default: random weights).
# Data: DATA_ROOT=/data/cityscapes in the environment.
# Batch: 16 images in total; on another number of GPUs, set train_dataloader.batch_size.
_base_ = [
    '_base_/models/fcn-d6_r50.py',
    '_base_/datasets/cityscapes-768x768.py',
    '_base_/schedules/30k_sgd.py',
    '_base_/default_runtime.py',
]

model = dict(data_preprocessor=dict(size=(769, 769)), decode_head=dict(num_classes=19))
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='RandomResize', scale=(2048, 1024), ratio_range=(0.5, 2.0), keep_ratio=True),
            dict(type='RandomCrop', crop_size=(769, 769)),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackSegInputs'),
        ]
    )
)

train_cfg = dict(max_iters=90000, val_interval=9000)
param_scheduler = [dict(type='MultiStepLR', by_epoch=False, begin=0, end=90000, milestones=[63000, 81000], gamma=0.1)]
optim_wrapper = dict(optimizer=dict(lr=0.01))
default_hooks = dict(checkpoint=dict(interval=9000))
