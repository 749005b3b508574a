# mmpretrain's runtime with this package's checks of annotations, loading and losses.
_base_ = 'mmpretrain::_base_/default_runtime.py'

custom_imports = dict(imports=['mmssl_geo.registry'], allow_failed_imports=False)
runner_type = 'mmssl_geo.RemovableHooksRunner'  # checks annotations before they are read

tta_model = dict(type='AverageClsScoreTTA')

default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=2),
    num_classes=dict(type='ClassNumCheckHook'),
    annotations=dict(type='mmssl_geo.AnnotationCheckHook'),
    strict_load=dict(type='mmssl_geo.StrictLoadHook'),
    finite=dict(type='mmssl_geo.FiniteHook'),
)
