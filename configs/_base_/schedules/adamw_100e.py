# Optimisation of GTSA's official code: AdamW, schedules updated at every optimizer step, gradients clipped per tensor.
# ScheduleHook sets learning rate and weight decay.
_base_ = '../runtime.py'
train_cfg = dict(type='mmssl_geo.ResumableEpochLoop', max_epochs=100)
optim_wrapper = dict(
    type='mmssl_geo.PerTensorClipAmpOptimWrapper',
    constructor='mmssl_geo.DecayGroupsConstructor',
    dtype='float16',
    optimizer=dict(type='AdamW', betas=(0.9, 0.999)),
    clip_grad=dict(max_norm=3.0),
)
default_hooks = dict(
    schedule=dict(
        type='mmssl_geo.ScheduleHook',
        learning_rate=dict(base=0.0005, batch=256, end=1e-6),
        weight_decay=dict(start=0.04, end=0.4),
        warmup_epochs=10,
    ),
    teacher_update=dict(type='mmssl_geo.TeacherUpdateHook', momentum=dict(start=0.996, end=1.0)),
)
