"""Complete training steps on precomputed views: our model, the networks alone and the official code."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from official import OfficialTraining, autocast, official_batch

from mmssl_geo.structures import ViewBatch
from mmssl_geo.utils.paths import resource_root

CONFIG = 'gtsa_vits16_coco.py'


def build_model(device: torch.device | str, config: str | Path = CONFIG, **options: Any) -> Any:
    """Builds the model of a shipped config in training mode; `options` are overrides as in `--cfg-options`."""
    import mmssl_geo.models  # noqa: F401  (registers the model)
    from mmssl_geo.registry import MODELS

    cfg = Config.fromfile(resource_root() / 'configs' / config)
    cfg.merge_from_dict(options)
    cfg.model.data_preprocessor = dict(type='mmengine.BaseDataPreprocessor')  # the views are already normalised
    with DefaultScope.overwrite_default_scope('mmssl_geo'):
        model = MODELS.build(cfg.model)
    MMLogger.get_current_instance().setLevel('WARNING')  # otherwise every weight is logged
    model.init_weights()
    return model.to(device).train()


def our_step(model: Any, views: ViewBatch, dtype: torch.dtype) -> Callable[[], None]:
    """Returns a function for one training step: teacher update, forward, losses, backward, clipping, optimizer."""
    from mmssl_geo.engine import DecayGroupsConstructor
    from mmssl_geo.engine.runner_values import unwrap_model

    half = dtype != torch.float32
    kind = 'mmssl_geo.PerTensorClipAmpOptimWrapper' if half else 'mmssl_geo.PerTensorClipOptimWrapper'
    options = dict(dtype=str(dtype).removeprefix('torch.')) if half else {}
    wrapper = DecayGroupsConstructor(
        dict(type=kind, optimizer=dict(type='AdamW', lr=1e-5), clip_grad=dict(max_norm=3.0), **options)
    )(model)

    student_teacher: Any = unwrap_model(model)

    def step() -> None:
        student_teacher.update_teacher(0.996)
        model.train_step(dict(views=views), wrapper)

    return step


def bare_nets(model: Any, views: ViewBatch, dtype: torch.dtype) -> Callable[[], None]:
    """Returns a function that runs only the student forward and backward and the teacher forward."""

    def step() -> None:
        with autocast(views.turns.device, dtype):
            maps = {kind: model.neck(features) for kind, features in model.student_features(views).items()}
            predictions = model.head.predict(maps)
            model.teacher(views.global_images)
        sum(prediction.sum() for prediction in predictions.values()).backward()
        model.zero_grad()

    return step


def official_step(
    reference: Any, views: ViewBatch, dtype: torch.dtype, data_parallel: bool = False
) -> Callable[[], None]:
    """Returns a function that runs one training step of the official code."""
    training = OfficialTraining(reference, views.num_local, views.turns.device, dtype, data_parallel)
    batch = official_batch(views)
    return lambda: training.step(batch)
