# SoCo's 1x: 12 epochs (90k iterations of 16 images), steps at 8 and 11, SGD, weight decay 2.5e-5.
_base_ = 'mmdet::_base_/schedules/schedule_1x.py'

optim_wrapper = dict(optimizer=dict(weight_decay=2.5e-5))
