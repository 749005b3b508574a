# DINO's views: 2 x 224 px and 8 x 96 px per image, randomly flipped, without quarter turns or a minimum overlap.
# Tuples of probabilities are for the first global view, the second global view and the local views.
_base_ = 'images.py'
train_dataloader = dict(
    dataset=dict(
        pipeline=dict(
            crop=dict(
                type='mmssl_geo.MultiCrop',
                global_size=224,
                num_global=2,
                global_scale=(0.4, 1.0),
                local_size=96,
                num_local=8,
                local_scale=(0.05, 0.4),
                min_overlap=None,
                interpolation='bicubic',
            ),
            flips=dict(type='mmssl_geo.RandomHorizontalFlips', prob=0.5),
            photometric=dict(
                type='mmssl_geo.MultiViewPhotometricAugmentation',
                brightness=0.4,
                contrast=0.4,
                saturation=0.2,
                hue=0.1,
                jitter_prob=0.8,
                grayscale_prob=0.2,
                blur_prob=(1.0, 0.1, 0.5),
                solarise_prob=(0.0, 0.2, 0.0),
            ),
            pack=dict(type='mmssl_geo.PackViews'),
        )
    )
)
