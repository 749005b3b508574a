# Any images: a folder (recursively), a list file or a COCO json (`ann_file`). 2 x 224 + 8 x 96 px views an image.
# Steps have names: `train_dataloader.dataset.pipeline.crop.num_local=6` changes one, `...photometrics=None` drops one.
# Photometrics: drawn by the workers, computed by the model's device if it is no CPU (`where='worker'`: always there).
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
                local_scale=(0.1, 0.3)),
            photometrics=dict(type='mmssl_geo.RandomViewPhotometrics'),
            turns=dict(type='mmssl_geo.RandomQuarterTurns'),
            pack=dict(type='mmssl_geo.PackViews'))))
