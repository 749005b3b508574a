"""Evaluates frozen features during pretraining."""

import time
from typing import Any

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmssl_geo.engine.runner_values import unwrapped_model
from mmssl_geo.evaluation.frozen_net import check_view_size
from mmssl_geo.evaluation.probes import PROBES, evaluate_backbone
from mmssl_geo.registry import HOOKS
from mmssl_geo.utils.checks import check_counts
from mmssl_geo.utils.errors import UserError


@HOOKS.register_module()
class ProbeHook(Hook):
    """Runs a probe of frozen features on a small labelled set: before training, every few epochs, and at the end.

    The first process evaluates a copy of the backbone. The others continue and wait for it at their next
    communication, so a probe must be quicker than their timeout (torch's default: 10 minutes on GPUs). The hook does
    not affect training: weights, statistics, modes and random states are the same as without it. Its images are read
    once, before training, and stay in memory. Values are logged in per cent, as `probe/<name>`;
    `default_hooks.checkpoint.save_best='probe/<name>'` keeps the checkpoint with the largest one.

    Attributes:
        latest: Values of the last evaluation by name, in per cent; empty in all processes but the first.

    Args:
        probe: 'knn', 'linear', 'object-knn' or 'segmentation'.
        train: Labelled training images: for the first two a folder of class folders or a list, for the others
            `(images, annotations)` and `(images, labels)`.
        val: Validation images, given in the same way.
        interval: Number of epochs between two evaluations.
        network: 'teacher' or 'student'.
        seed: Seed that samples the training images if `num_train` limits them.
        **options: Options of the probe (`mmssl_geo.evaluation.probes`), such as `size`, `num_train`, `num_classes`.

    Raises:
        UserError: Before training, if the probe or the network is unknown or there is an error in the data.
    """

    def __init__(
        self,
        probe: str,
        train: Any,  # noqa: ANN401  (depends on the probe)
        val: Any,  # noqa: ANN401
        interval: int = 1,
        network: str = 'teacher',
        seed: int = 0,
        **options: Any,  # noqa: ANN401
    ) -> None:
        if probe not in PROBES:
            raise UserError(f'ProbeHook: probe must be one of {", ".join(PROBES)}, got {probe}')
        if network not in ('teacher', 'student'):
            raise UserError(f'ProbeHook: network must be teacher or student, got {network}')
        check_counts('ProbeHook', interval=interval)
        check_counts('ProbeHook', at_least=0, seed=seed)
        self.probe = PROBES[probe](train, val, **options)
        self.latest: dict[str, float] = {}
        self.interval = interval
        self.network = network
        self.seed = seed

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Reads the images and evaluates the initial weights."""
        check_view_size(self.probe.size, self._backbone(runner).feature_stride)
        self.probe.preload([self.seed])
        self._evaluate(runner)

    @master_only
    def after_train_epoch(self, runner: Runner) -> None:
        if self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner):
            self._evaluate(runner)
            for hook in runner.hooks:
                if hasattr(hook, 'save_if_best'):
                    hook.save_if_best(runner, self.latest)

    def _backbone(self, runner: Runner) -> Any:  # noqa: ANN401  (a module that is a `Backbone`)
        model = unwrapped_model(runner)
        return model.teacher.backbone if self.network == 'teacher' else model.backbone

    def _evaluate(self, runner: Runner) -> None:
        start = time.perf_counter()
        backbone = self._backbone(runner)
        device = next(backbone.parameters()).device
        results = evaluate_backbone(self.probe, backbone, [self.seed], device)
        values = {f'probe/{name}': 100 * result.mean for name, result in results.items()}
        self.latest = values
        runner.visualizer.add_scalars(values, step=runner.iter)
        texts = (
            f'{name} {100 * result.mean:.1f} (chance {100 * result.chance:.1f})' for name, result in results.items()
        )
        runner.logger.info(f'probe of the {self.network}, %: {", ".join(texts)}; {time.perf_counter() - start:.1f} s')
