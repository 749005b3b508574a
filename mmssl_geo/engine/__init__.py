"""Hooks, loops, optimizer wrappers and the runner, registered in the scope `mmssl_geo`; safe reading of checkpoints."""

from .atomic_backend import install_atomic_backend
from .checkpoint_loading import install_safe_loaders
from .hooks import (
    AnnotationCheckHook,
    CollapseMonitorHook,
    CompileHook,
    DeferredInfoHook,
    FiniteHook,
    FreezeLastLayerHook,
    ProbeHook,
    ReplicaCheckHook,
    SafeCheckpointHook,
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

install_safe_loaders()
install_atomic_backend()

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
    'SafeCheckpointHook',
    'ScheduleHook',
    'StepSeedHook',
    'StrictLoadHook',
    'TeacherTemperatureHook',
    'TeacherUpdateHook',
    'ThroughputHook',
    'UnreadableImagesHook',
    'install_safe_loaders',
]
