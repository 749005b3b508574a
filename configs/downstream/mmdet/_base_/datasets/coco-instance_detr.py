# COCO instances with DETR's augmentation: resize, or resize, crop and resize again (long side at most 1333).
_base_ = 'coco-instance.py'

short_sides = [480, 512, 544, 576, 608, 640, 672, 704, 736, 768, 800]
last_resize = dict(type='RandomChoiceResize', scales=[(side, 1333) for side in short_sides], keep_ratio=True)

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
            dict(type='RandomFlip', prob=0.5),
            dict(
                type='RandomChoice',
                transforms=[
                    [last_resize],
                    [
                        dict(
                            type='RandomChoiceResize', scales=[(400, 1333), (500, 1333), (600, 1333)], keep_ratio=True
                        ),
                        dict(
                            type='RandomCrop',
                            crop_type='absolute_range',
                            crop_size=(384, 600),
                            allow_negative_crop=True,
                        ),
                        last_resize,
                    ],
                ],
            ),
            dict(type='PackDetInputs'),
        ]
    )
)
