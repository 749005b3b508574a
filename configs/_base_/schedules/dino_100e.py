# The optimisation of adamw_100e.py with DINO's temperature warm-up and frozen last layer.
_base_ = 'adamw_100e.py'
default_hooks = dict(
    teacher_temperature=dict(type='mmssl_geo.TeacherTemperatureHook', start=0.04, end=0.07, warmup_epochs=30),
    freeze_last_layer=dict(type='mmssl_geo.FreezeLastLayerHook', epochs=1),
)
