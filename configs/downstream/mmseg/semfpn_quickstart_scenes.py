# Semantic FPN with a small head on the quick start's net, for scenes of `tools/make_scenes.py` with its default
# classes: about two minutes on two CPU cores. After 256 iterations a net may still miss one of the classes.
#
# Weights: CHECKPOINT=quickstart_mmseg.pth in the environment (default: random weights).
# Data: DATA_ROOT=/data/scenes in the environment, with images/{train,val}/*.jpg and semantic/{train,val}/*.png.
_base_ = ['_base_/models/semfpn_vits16.py', '_base_/default_runtime.py', '../../_base_/models/vit_tiny_d4.py']

model = dict(
    data_preprocessor=dict(size=(128, 128)),
    backbone=dict(arch=dict(_delete_=True, **_base_._arch), img_size=128, patch_size=8, out_indices=[1, 3]),
    neck=dict(in_channels=[192, 192], out_channels=96, num_outs=2),
    # both maps have stride 8, and so has the prediction
    decode_head=dict(in_channels=[96, 96], in_index=[0, 1], feature_strides=[8, 8], channels=64, num_classes=4),
)

test_pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='Resize', scale_factor=ratio, keep_ratio=True) for ratio in (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)],
            [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0, direction='horizontal')],
            [dict(type='LoadAnnotations')],
            [dict(type='PackSegInputs')],
        ],
    ),
]
scenes = dict(
    type='BaseSegDataset',
    data_root='{{$DATA_ROOT:data/scenes}}',
    img_suffix='.jpg',
    seg_map_suffix='.png',
    metainfo=dict(
        classes=('background', 'ball', 'crate', 'tent'),
        palette=[[0, 0, 0], [220, 60, 40], [230, 170, 40], [50, 110, 220]],
    ),
)
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        data_prefix=dict(img_path='images/train', seg_map_path='semantic/train'),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackSegInputs'),
        ],
        **scenes,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        data_prefix=dict(img_path='images/val', seg_map_path='semantic/val'),
        test_mode=True,
        pipeline=test_pipeline,
        **scenes,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator

train_cfg = dict(type='IterBasedTrainLoop', max_iters=512, val_interval=512)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=16),
    dict(type='PolyLR', power=1.0, eta_min=1e-5, by_epoch=False, begin=0, end=512),
]
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(
        norm_decay_mult=0.0, custom_keys=dict(pos_embed=dict(decay_mult=0.0), cls_token=dict(decay_mult=0.0))
    ),
    clip_grad=dict(max_norm=1.0),
)

default_hooks = dict(logger=dict(interval=16), checkpoint=dict(interval=512, max_keep_ckpts=1, save_optimizer=False))
randomness = dict(seed=0)
