# Mask R-CNN with small heads on ViT-Ti/16, for any small folder in COCO's layout, on one GPU or a CPU.
#
# Weights: CHECKPOINT=vitt16_mmdet.pth in the environment (default: random weights).
# Data: DATA_ROOT=/data/mine in the environment, with train2017/, val2017/, annotations/instances_{train,val}2017.json.
# For other names, set {train,val,test}_dataloader.dataset.ann_file and .data_prefix.img, {val,test}_evaluator.ann_file.
# Classes: COCO's 80. For others, write a config beside this one:
#
#   _base_ = 'mask-rcnn_vitt16_small_coco-style.py'
#   metainfo = dict(classes=('gear', 'bolt'))            # names as in the annotation file
#   train_dataloader = dict(dataset=dict(metainfo=metainfo))
#   val_dataloader = dict(dataset=dict(metainfo=metainfo))
#   test_dataloader = val_dataloader
#   model = dict(roi_head=dict(bbox_head=dict(num_classes=2), mask_head=dict(num_classes=2)))
_base_ = [
    '_base_/models/mask-rcnn_vits16.py',
    '_base_/datasets/coco-instance.py',
    '_base_/schedules/1x.py',
    '_base_/default_runtime.py',
]

roi_extractor = dict(out_channels=128)
model = dict(
    backbone=dict(arch='deit-tiny'),
    neck=[
        dict(type='mmssl_geo.ViTPyramid', channels=192),
        dict(type='FPN', in_channels=[192, 192, 192, 192], out_channels=128, num_outs=5, norm_cfg=dict(type='BN')),
    ],
    rpn_head=dict(in_channels=128, feat_channels=128),
    roi_head=dict(
        bbox_roi_extractor=roi_extractor,
        bbox_head=dict(in_channels=128, fc_out_channels=512),
        mask_roi_extractor=roi_extractor,
        mask_head=dict(num_convs=2, in_channels=128, conv_out_channels=128),
    ),
)

resize = dict(type='Resize', scale=(480, 320), keep_ratio=True)
test_pipeline = [
    dict(type='LoadImageFromFile'),
    resize,
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [resize],
            [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0)],
            [dict(type='LoadAnnotations', with_bbox=True, with_mask=True)],
            [
                dict(
                    type='PackDetInputs',
                    meta_keys=(
                        'img_id',
                        'img_path',
                        'ori_shape',
                        'img_shape',
                        'scale_factor',
                        'flip',
                        'flip_direction',
                    ),
                )
            ],
        ],
    ),
]
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
            resize,
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackDetInputs'),
        ]
    ),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

# few images: a short warm-up, a higher learning rate and gradient clipping
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=12, milestones=[8, 11], gamma=0.1),
]
optim_wrapper = dict(optimizer=dict(lr=4e-4), clip_grad=dict(max_norm=1.0))

default_hooks = dict(logger=dict(interval=10))
