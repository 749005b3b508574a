"""Monitors the teacher's features for collapse."""

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmssl_geo.engine.runner_values import unwrapped_model
from mmssl_geo.evaluation import effective_rank, feature_spread
from mmssl_geo.models.selfsup.student_teacher import StudentTeacher
from mmssl_geo.registry import HOOKS
from mmssl_geo.utils.checks import check_counts, check_numbers


@HOOKS.register_module()
class CollapseMonitorHook(Hook):
    """Logs the spread and the effective rank of the teacher's patch tokens, and warns if they collapse (our choice).

    Every `interval` iterations, and at the last of every epoch, the teacher's backbone processes up to `num_images`
    views of the batch a second time.

    Args:
        interval: Number of iterations between two measurements; the first is at the first iteration of an epoch.
        num_images: Number of views per measurement.
        tokens_per_image: Number of tokens per view, evenly spaced.
        min_spread: Spread below which a warning is logged.
        min_rank: Effective rank below which a warning is logged.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        interval: int = 50,
        num_images: int = 16,
        tokens_per_image: int = 16,
        min_spread: float = 0.1,
        min_rank: float = 2.0,
    ) -> None:
        check_counts('CollapseMonitorHook', interval=interval, num_images=num_images, tokens_per_image=tokens_per_image)
        check_numbers('CollapseMonitorHook', at_least=0, min_spread=min_spread, min_rank=min_rank)
        self.interval = interval
        self.num_images = num_images
        self.tokens_per_image = tokens_per_image
        self.min_spread = min_spread
        self.min_rank = min_rank

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        if batch_idx % self.interval and not self.is_last_train_iter(runner):
            return
        spread, rank = self.measure(unwrapped_model(runner), data_batch)
        runner.message_hub.update_scalar('train/feature_spread', spread)
        runner.message_hub.update_scalar('train/effective_rank', rank)
        if spread < self.min_spread or rank < self.min_rank:
            runner.logger.warning(
                f"the teacher's features collapse: spread {spread:.3f} (threshold {self.min_spread}), effective rank "
                f'{rank:.1f} (threshold {self.min_rank}); lower the learning rate or lengthen the warm-up'
            )

    @torch.no_grad()
    def measure(self, model: StudentTeacher, data_batch: dict[str, Any] | None) -> tuple[float, float]:
        """Measures the spread and the effective rank of the teacher's tokens of a batch from the data loader."""
        images = model.data_preprocessor(data_batch)['views'].monitor_images[: self.num_images]
        tokens = model.teacher_tokens(images)
        indices = torch.linspace(0, tokens.shape[1] - 1, min(self.tokens_per_image, tokens.shape[1])).long()
        tokens = tokens[:, indices.to(tokens.device)].flatten(0, 1).float()
        return float(feature_spread(tokens)), float(effective_rank(tokens))
