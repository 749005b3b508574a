"""Hooks, loops and optimizer wrappers, registered in the scope `mmssl_geo`."""

from .hooks import (
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

__all__ = [
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
