# Loader of unlabelled images: a folder (searched recursively), a list file or a COCO json (`ann_file`).
train_dataloader = dict(
    batch_size=64,
    num_workers=10,
    persistent_workers=True,
    drop_last=True,
    pin_memory=True,
    sampler=dict(type='mmssl_geo.EpochSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='mmssl_geo.ImageListDataset', data_root='data/images/', max_unreadable=0.01),
)
