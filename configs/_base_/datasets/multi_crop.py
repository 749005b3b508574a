# Multi-crop views: 2 x 224 px and 8 x 96 px per image, each rotated by a random number of quarter turns.
# Change a step by its name, as `train_dataloader.dataset.pipeline.crop.num_local=6`, or remove it, as
# `train_dataloader.dataset.pipeline.photometric=None`.
# The workers draw the parameters of the photometric augmentation; the model's device applies it, unless that is a CPU
# or `where='worker'`.
_base_ = 'images.py'
train_dataloader = dict(
    dataset=dict(
        pipeline=dict(
            crop=dict(
                type='mmssl_geo.MultiCrop',
                global_size=224,
                num_global=2,
                global_scale=(0.3, 1.0),
                local_size=96,
                num_local=8,
                local_scale=(0.1, 0.3),
            ),
            photometric=dict(type='mmssl_geo.MultiViewPhotometricAugmentation'),
            turns=dict(type='mmssl_geo.RandomQuarterTurns'),
            pack=dict(type='mmssl_geo.PackViews'),
        )
    )
)
