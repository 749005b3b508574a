# SoCo's optimisation: LARS, except for biases and 1-D parameters, schedules updated at every optimizer step, no
# gradient clipping. ScheduleHook sets learning rate and weight decay. For 400 epochs, set train_cfg.max_epochs=400.
_base_ = '../runtime.py'
train_cfg = dict(type='mmssl_geo.ResumableEpochLoop', max_epochs=100)
optim_wrapper = dict(
    type='mmssl_geo.PerTensorClipAmpOptimWrapper',
    constructor='mmssl_geo.DecayGroupsConstructor',
    dtype='float16',
    optimizer=dict(type='mmpretrain.LARS', momentum=0.9, eta=0.001),
)
default_hooks = dict(
    schedule=dict(
        type='mmssl_geo.ScheduleHook',
        learning_rate=dict(base=1.0, batch=256, end=1e-6),
        weight_decay=dict(start=1e-5, end=1e-5),
        warmup_epochs=10,
    ),
    teacher_update=dict(type='mmssl_geo.TeacherUpdateHook', momentum=dict(start=0.99, end=1.0)),
)
