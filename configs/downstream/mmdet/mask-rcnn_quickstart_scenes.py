# Mask R-CNN with small heads on the quick start's net, for scenes of `tools/make_scenes.py` with its default classes:
# minutes on two CPU cores.
#
# Weights: CHECKPOINT=quickstart_mmdet.pth in the environment (default: random weights).
# Data: DATA_ROOT=/data/scenes in the environment, with images/{train,val}/ and annotations/instances_{train,val}.json.
_base_ = ['_base_/models/mask-rcnn_vits16.py', '_base_/default_runtime.py', '../../_base_/models/vit_tiny_d4.py']

roi_extractor = dict(roi_layer=dict(sampling_ratio=1), out_channels=64, featmap_strides=[8, 16], finest_scale=40)
few_proposals = dict(nms_pre=200, max_per_img=50)
model = dict(
    backbone=dict(
        arch=dict(_delete_=True, **_base_._arch), img_size=128, patch_size=8, drop_path_rate=0.0, out_indices=[1, 3]
    ),
    neck=[
        dict(type='mmssl_geo.ViTPyramid', channels=192, rescales=(1, 0.5)),
        dict(type='FPN', in_channels=[192, 192], out_channels=64, num_outs=2, norm_cfg=dict(type='BN')),
    ],
    rpn_head=dict(in_channels=64, feat_channels=64, anchor_generator=dict(scales=[4, 5.7], strides=[8, 16])),
    roi_head=dict(
        bbox_roi_extractor=roi_extractor,
        bbox_head=dict(in_channels=64, fc_out_channels=256, num_classes=3, reg_class_agnostic=True),
        mask_roi_extractor=roi_extractor,
        mask_head=dict(num_convs=2, in_channels=64, conv_out_channels=64, num_classes=3, class_agnostic=True),
    ),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=64)), rpn_proposal=few_proposals, rcnn=dict(sampler=dict(num=24, pos_fraction=0.4))
    ),
    test_cfg=dict(rpn=few_proposals, rcnn=dict(max_per_img=20)),
)

data_root = '{{$DATA_ROOT:data/scenes}}'
scenes = dict(type='CocoDataset', data_root=data_root, metainfo=dict(classes=('ball', 'crate', 'tent')))
resize = dict(type='Resize', scale=(128, 128), keep_ratio=True)
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
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='AspectRatioBatchSampler'),
    dataset=dict(
        ann_file='annotations/instances_train.json',
        data_prefix=dict(img='images/train/'),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
            resize,
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackDetInputs'),
        ],
        **scenes,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file='annotations/instances_val.json',
        data_prefix=dict(img='images/val/'),
        test_mode=True,
        pipeline=test_pipeline,
        **scenes,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='CocoMetric', ann_file=data_root + '/annotations/instances_val.json', metric=['bbox', 'segm'])
test_evaluator = val_evaluator

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=15, val_interval=15)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=32),
    dict(type='CosineAnnealingLR', eta_min=1e-5, by_epoch=True, begin=0, end=15, convert_to_iter_based=True),
]
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(
        norm_decay_mult=0.0, custom_keys=dict(pos_embed=dict(decay_mult=0.0), cls_token=dict(decay_mult=0.0))
    ),
    clip_grad=dict(max_norm=1.0),
)

default_hooks = dict(logger=dict(interval=16), checkpoint=dict(interval=15, max_keep_ckpts=1, save_optimizer=False))
randomness = dict(seed=0)
