"""Watches the teacher's features for collapse."""
import torch
from mmengine.hooks import Hook

from mmssl_geo.engine.runner_state import unwrapped_model
from mmssl_geo.evaluation import effective_rank, feature_spread
from mmssl_geo.registry import HOOKS


@HOOKS.register_module()
class CollapseMonitorHook(Hook):
    """Logs spread and effective rank of the teacher's patch tokens, and warns when they collapse (our choice).

    Every `interval` iterations the teacher's backbone sees up to `num_images` global views of the batch once more.

    Args:
        interval: iterations between two readings; also the first and the last of every epoch.
        num_images: global views per reading.
        tokens_per_image: tokens taken of each, evenly spaced.
        min_spread: below this spread a warning is logged.
        min_rank: below this effective rank a warning is logged.
    """
    priority = 'NORMAL'

    def __init__(self, interval=50, num_images=16, tokens_per_image=16, min_spread=0.1, min_rank=2.):
        self.interval = interval
        self.num_images = num_images
        self.tokens_per_image = tokens_per_image
        self.min_spread = min_spread
        self.min_rank = min_rank

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if batch_idx % self.interval and not self.is_last_train_iter(runner):
            return
        spread, rank = self.read(unwrapped_model(runner), data_batch)
        runner.message_hub.update_scalar('train/feature_spread', spread)
        runner.message_hub.update_scalar('train/effective_rank', rank)
        if spread < self.min_spread or rank < self.min_rank:
            runner.logger.warning(
                f'the teacher\'s features collapse: spread {spread:.3f} (warns below {self.min_spread}), effective '
                f'rank {rank:.1f} (warns below {self.min_rank}). Lower the learning rate or lengthen the warm-up')

    @torch.no_grad()
    def read(self, model, data_batch):
        """`(spread, effective rank)` of the teacher's tokens of a batch as the loader gives it."""
        images = model.data_preprocessor(data_batch)['views'].monitor_images[:self.num_images]
        tokens = model.teacher_tokens(images)
        chosen = torch.linspace(0, tokens.shape[1] - 1, min(self.tokens_per_image, tokens.shape[1])).long()
        tokens = tokens[:, chosen.to(tokens.device)].flatten(0, 1).float()
        return float(feature_spread(tokens)), float(effective_rank(tokens))
