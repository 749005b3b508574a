"""Images per second."""
from mmengine.hooks import Hook

from mmssl_geo.registry import HOOKS


@HOOKS.register_module()
class ThroughputHook(Hook):
    """Logs `images_per_s` of all processes together, from mmengine's iteration times."""
    priority = 'NORMAL'  # after IterTimerHook (registered earlier), before LoggerHook

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        seconds = runner.message_hub.get_scalar('train/time').current()
        images = runner.train_dataloader.batch_size * runner.world_size
        runner.message_hub.update_scalar('train/images_per_s', images / seconds)
