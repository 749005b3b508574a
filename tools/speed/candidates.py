"""Whole training steps on ready-made views: ours, the bare nets, and the official code's."""

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from official import OfficialTraining, autocast, official_batch

from mmssl_geo.utils.paths import resource_root

CONFIG = 'gtsa_vits16_coco.py'


def build_model(device, config=CONFIG, **options):
    """The model of a shipped config on a device, ready to train; `options` as `--cfg-options` would take them."""
    import mmssl_geo.models  # noqa: F401  (registers the model)
    from mmssl_geo.registry import MODELS

    cfg = Config.fromfile(resource_root() / 'configs' / config)
    cfg.merge_from_dict(options)
    cfg.model.data_preprocessor = dict(type='mmengine.BaseDataPreprocessor')  # the views are ready
    with DefaultScope.overwrite_default_scope('mmssl_geo'):
        model = MODELS.build(cfg.model)
    MMLogger.get_current_instance().setLevel('WARNING')  # every weight is reported otherwise
    model.init_weights()
    return model.to(device).train()


def our_step(model, views, dtype):
    """A function that does one step of ours: teacher, forward, losses, backward, clipping, optimizer."""
    from mmssl_geo.engine import DecayGroupsConstructor
    from mmssl_geo.engine.runner_state import unwrap_model

    half = dtype != torch.float32
    kind = 'mmssl_geo.PerTensorClipAmpOptimWrapper' if half else 'mmssl_geo.PerTensorClipOptimWrapper'
    options = dict(dtype=str(dtype).removeprefix('torch.')) if half else {}
    wrapper = DecayGroupsConstructor(
        dict(type=kind, optimizer=dict(type='AdamW', lr=1e-5), clip_grad=dict(max_norm=3.0), **options)
    )(model)

    def step():
        unwrap_model(model).update_teacher(0.996)
        model.train_step(dict(views=views), wrapper)

    return step


def bare_nets(model, views, dtype):
    """A function that only runs the nets, student forward and backward and teacher forward, on the same views."""

    def step():
        with autocast(views.turns.device, dtype):
            maps = {kind: model.neck(features) for kind, features in model.student_features(views).items()}
            predictions = model.head.predict(maps)
            model.teacher(views.global_images)
        sum(prediction.sum() for prediction in predictions.values()).backward()
        model.zero_grad()

    return step


def official_step(reference, views, dtype, data_parallel=False):
    """A function that does one step of the official code."""
    training = OfficialTraining(reference, views.num_local, views.turns.device, dtype, data_parallel)
    batch = official_batch(views)
    return lambda: training.step(batch)
