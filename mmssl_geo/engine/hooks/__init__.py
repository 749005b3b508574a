from .annotation_check_hook import AnnotationCheckHook
from .collapse_monitor_hook import CollapseMonitorHook
from .compile_hook import CompileHook
from .deferred_info_hook import DeferredInfoHook
from .finite_hook import FiniteHook
from .freeze_last_layer_hook import FreezeLastLayerHook
from .probe_hook import ProbeHook
from .replica_check_hook import ReplicaCheckHook
from .schedule_hook import ScheduleHook
from .step_seed_hook import StepSeedHook
from .strict_load_hook import StrictLoadHook
from .teacher_temperature_hook import TeacherTemperatureHook
from .teacher_update_hook import TeacherUpdateHook
from .throughput_hook import ThroughputHook
from .unreadable_images_hook import UnreadableImagesHook

__all__ = [
    'AnnotationCheckHook',
    'CollapseMonitorHook',
    'CompileHook',
    'DeferredInfoHook',
    'FiniteHook',
    'FreezeLastLayerHook',
    'ProbeHook',
    'ReplicaCheckHook',
    'ScheduleHook',
    'StepSeedHook',
    'StrictLoadHook',
    'TeacherTemperatureHook',
    'TeacherUpdateHook',
    'ThroughputHook',
    'UnreadableImagesHook',
]
