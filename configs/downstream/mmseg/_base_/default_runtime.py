# Written out, because not every distribution of mmseg resolves `_base_ = 'mmseg::...'`.
default_scope = 'mmseg'
custom_imports = dict(imports=['mmssl_geo.registry'], allow_failed_imports=False)
runner_type = 'mmssl_geo.RemovableHooksRunner'  # checks annotations before they are read

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=4000, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='SegVisualizationHook'),
    annotations=dict(type='mmssl_geo.AnnotationCheckHook'),
    strict_load=dict(type='mmssl_geo.StrictLoadHook'),
    finite=dict(type='mmssl_geo.FiniteHook'),
)

env_cfg = dict(
    cudnn_benchmark=True, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0), dist_cfg=dict(backend='nccl')
)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='SegLocalVisualizer', vis_backends=vis_backends, name='visualizer')
tta_model = dict(type='SegTTAModel')
log_processor = dict(by_epoch=False)
log_level = 'INFO'
load_from = None
resume = False

# SyncBN on several GPUs; plain BN on one GPU or a CPU
sync_bn = 'torch'
