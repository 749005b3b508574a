# SoCo's 1x (detectron2's): SGD, 12 epochs (90k iterations of 16 images), steps at 8 and 11, 1000 iterations of warm-up,
# weight decay 2.5e-5 except on norms.
_base_ = 'mmdet::_base_/schedules/schedule_1x.py'

param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=1000),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=12, milestones=[8, 11], gamma=0.1),
]

optim_wrapper = dict(optimizer=dict(weight_decay=2.5e-5), paramwise_cfg=dict(norm_decay_mult=0.0))
