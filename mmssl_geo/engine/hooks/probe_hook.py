"""Asks the features of the net that is being pretrained."""
import time

from mmengine.dist import master_only
from mmengine.hooks import Hook

from mmssl_geo.engine.runner_state import unwrapped_model
from mmssl_geo.evaluation.frozen_net import check_view_size
from mmssl_geo.evaluation.probes import evaluate_backbone
from mmssl_geo.evaluation.probes import PROBES
from mmssl_geo.registry import HOOKS
from mmssl_geo.utils.errors import UserError


@HOOKS.register_module()
class ProbeHook(Hook):
    """Runs a probe of frozen features on a small labelled set: before training, every few epochs, and at the end.

    The first process does it, on a copy of the backbone; the others go on and wait for it at their next exchange, so a
    probe has to be quicker than their time limit (torch's default: 10 minutes on GPUs). Nothing of the training is
    touched: weights, statistics, modes and random states are what they are without the hook. Its images are read once,
    before training, and stay in memory. Values are logged in per cent, as `probe/<name>`.

    Args:
        probe: 'knn', 'linear', 'object-knn' or 'segmentation'.
        train: what to learn from: a folder of class folders or a list for the first two, `(images, annotations)` and
            `(images, labels)` for the others.
        val: what to ask about.
        interval: epochs between two readings.
        network: 'teacher' or 'student'.
        seed: draws the labelled images where `num_train` limits them.
        **options: of the probe (`mmssl_geo.evaluation.probes`), such as `size`, `num_train`, `num_classes`.

    Raises:
        UserError: another probe or network, or something is wrong with its data; before training starts.
    """

    def __init__(self, probe, train, val, interval=1, network='teacher', seed=0, **options):
        if probe not in PROBES:
            raise UserError(f'ProbeHook: probe has to be one of {", ".join(PROBES)}, got {probe}')
        if network not in ('teacher', 'student'):
            raise UserError(f'ProbeHook: network has to be teacher or student, got {network}')
        self.probe = PROBES[probe](train, val, **options)
        self.interval = interval
        self.network = network
        self.seed = seed

    @master_only
    def before_train(self, runner):
        """Reads the images, and takes the first reading."""
        check_view_size(self.probe.size, self._backbone(runner).feature_stride)
        self.probe.preload([self.seed])
        self._read(runner)

    @master_only
    def after_train_epoch(self, runner):
        if self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner):
            self._read(runner)

    def _backbone(self, runner):
        model = unwrapped_model(runner)
        return model.teacher.backbone if self.network == 'teacher' else model.backbone

    def _read(self, runner):
        began = time.perf_counter()
        backbone = self._backbone(runner)
        device = next(backbone.parameters()).device
        measured = evaluate_backbone(self.probe, backbone, [self.seed], device)
        values = {f'probe/{name}': 100 * own.mean for name, own in measured.items()}
        runner.visualizer.add_scalars(values, step=runner.iter)
        texts = (f'{name} {100 * own.mean:.1f} (chance {100 * own.chance:.1f})' for name, own in measured.items())
        runner.logger.info(f'probe of the {self.network}, %: {", ".join(texts)}; {time.perf_counter() - began:.1f} s')
