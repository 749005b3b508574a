# Any images: a folder (recursively), a list file or a COCO json (`ann_file`). 2 x 224 + 8 x 96 px views an image.
# Steps have names: `train_dataloader.dataset.pipeline.crop.num_local=6` changes one, `...photometrics=None` drops one.
# Photometrics: drawn by the workers, computed by the model's device if it is no CPU (`where='worker'`: always there).
train_dataloader = dict(
    batch_size=64,
    num_workers=10,
    persistent_workers=True,
    drop_last=True,
    pin_memory=True,
    sampler=dict(type='mmssl_geo.EpochSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='mmssl_geo.ImageListDataset',
        data_root='data/images/',
        max_unreadable=0.01,
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
