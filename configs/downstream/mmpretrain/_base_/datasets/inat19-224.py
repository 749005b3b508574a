# iNaturalist 2019 (1010 classes; 265213 images to train on, 3030 to evaluate), 224 pixels, GTSA's augmentations (those
# of timm: RandAugment m9, random erasing). The environment variable DATA_ROOT names the folder with train_val2019/,
# train2019.json and val2019.json in it.
data_root = '{{$DATA_ROOT:data/inat19}}'
mean_bgr, std_bgr = [103.53, 116.28, 123.675], [57.375, 57.12, 58.395]

train_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmssl_geo.INaturalist',
        data_root=data_root,
        ann_file='train2019.json',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='RandomResizedCrop', scale=224, backend='pillow', interpolation='bicubic'),
            dict(type='RandomFlip', prob=0.5, direction='horizontal'),
            dict(
                type='RandAugment',
                policies='timm_increasing',
                num_policies=2,
                total_level=10,
                magnitude_level=9,
                magnitude_std=0.5,
                hparams=dict(pad_val=[104, 116, 124], interpolation='bicubic')),
            dict(
                type='RandomErasing',
                erase_prob=0.25,
                mode='rand',
                min_area_ratio=0.02,
                max_area_ratio=1 / 3,
                fill_color=mean_bgr,
                fill_std=std_bgr),
            dict(type='PackInputs'),
        ]))
val_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmssl_geo.INaturalist',
        data_root=data_root,
        ann_file='val2019.json',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='ResizeEdge', scale=256, edge='short', backend='pillow', interpolation='bicubic'),
            dict(type='CenterCrop', crop_size=224),
            dict(type='PackInputs'),
        ]))
test_dataloader = val_dataloader

val_evaluator = dict(type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
