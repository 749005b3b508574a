# MoCo's 30k for PASCAL VOC: SGD, learning rate multiplied by 0.1 at 70% and 90%, total batch 16.
train_cfg = dict(type='IterBasedTrainLoop', max_iters=30000, val_interval=3000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [dict(type='MultiStepLR', by_epoch=False, begin=0, end=30000, milestones=[21000, 27000], gamma=0.1)]
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.003, momentum=0.9, weight_decay=1e-4))
