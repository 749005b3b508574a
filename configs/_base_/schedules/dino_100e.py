# The optimisation of adamw_100e.py, which is DINO's as well, and what only DINO has.
_base_ = 'adamw_100e.py'
default_hooks = dict(
    teacher_temperature=dict(type='mmssl_geo.TeacherTemperatureHook', start=0.04, end=0.07, warmup_epochs=30),
    freeze_last_layer=dict(type='mmssl_geo.FreezeLastLayerHook', epochs=1))
