"""Hooks, loops, optimizer wrappers and the runner, registered in the scope `mmssl_geo`."""

from .hooks import (
    AnnotationCheckHook,
    CollapseMonitorHook,
    CompileHook,
    DeferredInfoHook,
    FiniteHook,
    FreezeLastLayerHook,
    ProbeHook,
    ReplicaCheckHook,
    ScheduleHook,
    StepSeedHook,
    StrictLoadHook,
    TeacherTemperatureHook,
    TeacherUpdateHook,
    ThroughputHook,
    UnreadableImagesHook,
)
from .loops import ResumableEpochLoop
from .optimizers import (
    DecayGroupsConstructor,
    LayerDecayConstructor,
    PerTensorClipAmpOptimWrapper,
    PerTensorClipOptimWrapper,
    PortableAmpOptimWrapper,
)
from .runner import RemovableHooksRunner

__all__ = [
    'AnnotationCheckHook',
    'CollapseMonitorHook',
    'CompileHook',
    'DecayGroupsConstructor',
    'DeferredInfoHook',
    'FiniteHook',
    'FreezeLastLayerHook',
    'LayerDecayConstructor',
    'PerTensorClipAmpOptimWrapper',
    'PerTensorClipOptimWrapper',
    'PortableAmpOptimWrapper',
    'ProbeHook',
    'RemovableHooksRunner',
    'ReplicaCheckHook',
    'ResumableEpochLoop',
    'ScheduleHook',
    'StepSeedHook',
    'StrictLoadHook',
    'TeacherTemperatureHook',
    'TeacherUpdateHook',
    'ThroughputHook',
    'UnreadableImagesHook',
]
