# MoCo's 24k iterations for PASCAL VOC (detectron2's): SGD, steps at 18k and 22k, 100 iterations of warm-up, no weight
# decay on norms, total batch 16. Evaluated only at the end.
train_cfg = dict(type='IterBasedTrainLoop', max_iters=24000, val_interval=24000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=100),
    dict(type='MultiStepLR', by_epoch=False, begin=0, end=24000, milestones=[18000, 22000], gamma=0.1),
]

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=1e-4),
    paramwise_cfg=dict(norm_decay_mult=0.0),
)

# the batch size that `--auto-scale-lr` scales the learning rate from
auto_scale_lr = dict(enable=False, base_batch_size=16)
