# Hooks, logging and environment of every pretraining config.
custom_imports = dict(
    imports=['mmssl_geo.datasets', 'mmssl_geo.engine', 'mmssl_geo.models'], allow_failed_imports=False
)
default_scope = 'mmssl_geo'
runner_type = 'mmssl_geo.RemovableHooksRunner'  # None removes a hook, such as default_hooks.throughput=None

default_hooks = dict(
    runtime_info=dict(type='mmssl_geo.DeferredInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=True),
    checkpoint=dict(type='mmssl_geo.SafeCheckpointHook', interval=1, max_keep_ckpts=3, save_last=True),
    step_seed=dict(type='mmssl_geo.StepSeedHook'),
    strict_load=dict(type='mmssl_geo.StrictLoadHook'),
    finite=dict(type='mmssl_geo.FiniteHook'),
    replica_check=dict(type='mmssl_geo.ReplicaCheckHook'),
    unreadable_images=dict(type='mmssl_geo.UnreadableImagesHook'),
    collapse_monitor=dict(type='mmssl_geo.CollapseMonitorHook', interval=50),
    # after the collapse monitor, whose time must not count as waiting for data
    throughput=dict(type='mmssl_geo.ThroughputHook'),
)

env_cfg = dict(
    cudnn_benchmark=True, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0), dist_cfg=dict(backend='nccl')
)
visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')])
randomness = dict(seed=0)
log_level = 'INFO'
load_from = None
resume = False
