"""Hooks, loops and optimizer wrappers, registered in the scope `mmssl_geo`."""
from .hooks import (
    CollapseGaugeHook,
    FiniteHook,
    FreezeLastLayerHook,
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
from .optimizers import DecayGroupsConstructor, PerTensorClipAmpOptimWrapper, PerTensorClipOptimWrapper

__all__ = [
    'CollapseGaugeHook', 'DecayGroupsConstructor', 'FiniteHook', 'FreezeLastLayerHook', 'PerTensorClipAmpOptimWrapper',
    'PerTensorClipOptimWrapper', 'ReplicaCheckHook', 'ResumableEpochLoop', 'ScheduleHook', 'StepSeedHook',
    'StrictLoadHook', 'TeacherTemperatureHook', 'TeacherUpdateHook', 'ThroughputHook', 'UnreadableImagesHook'
]
