# 1x_sgd.py, twice as long: 24 epochs (180k iterations of 16 images), steps at 16 and 22.
_base_ = '1x_sgd.py'

train_cfg = dict(max_epochs=24)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=1000),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=24, milestones=[16, 22], gamma=0.1),
]
