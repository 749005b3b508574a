# mmdet's runtime with this package's checks of annotations, loading and losses.
_base_ = 'mmdet::_base_/default_runtime.py'

custom_imports = dict(imports=['mmssl_geo.registry'], allow_failed_imports=False)
runner_type = 'mmssl_geo.RemovableHooksRunner'  # checks annotations before they are read

default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=2),
    num_classes=dict(type='NumClassCheckHook'),
    annotations=dict(type='mmssl_geo.AnnotationCheckHook'),
    strict_load=dict(type='mmssl_geo.StrictLoadHook'),
    finite=dict(type='mmssl_geo.FiniteHook'),
)

tta_model = dict(type='mmssl_geo.InstanceTTAModel', nms=dict(type='nms', iou_threshold=0.5), max_per_img=100)

# SyncBN on several GPUs; plain BN on one GPU or a CPU
sync_bn = 'torch'
