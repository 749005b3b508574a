# iNaturalist 2019 (1010 classes; 265213 training and 3030 validation images) with the augmentation of
# folder-224_linear.py. DATA_ROOT in the environment names the folder with train_val2019/, train2019.json and
# val2019.json.
_base_ = 'folder-224_linear.py'

data_root = '{{$DATA_ROOT:data/inat19}}'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmssl_geo.INaturalist',
        data_root=data_root,
        ann_file='train2019.json',
        pipeline=_base_.train_dataloader.dataset.pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmssl_geo.INaturalist',
        data_root=data_root,
        ann_file='val2019.json',
        pipeline=_base_.val_dataloader.dataset.pipeline,
    )
)
test_dataloader = val_dataloader
