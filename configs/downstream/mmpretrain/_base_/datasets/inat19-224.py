# iNaturalist 2019 with GTSA's augmentation (timm's RandAugment m9 and random erasing), for fine-tuning.
_base_ = 'inat19-224_linear.py'

mean_bgr, std_bgr = [103.53, 116.28, 123.675], [57.375, 57.12, 58.395]

train_dataloader = dict(
    drop_last=True,
    dataset=dict(
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
                hparams=dict(pad_val=[104, 116, 124], interpolation='bicubic'),
            ),
            dict(
                type='RandomErasing',
                erase_prob=0.25,
                mode='rand',
                min_area_ratio=0.02,
                max_area_ratio=1 / 3,
                fill_color=mean_bgr,
                fill_std=std_bgr,
            ),
            dict(type='PackInputs'),
        ]
    ),
)
