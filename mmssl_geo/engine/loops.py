"""Epoch-based training that can be resumed at any iteration."""
from mmengine.hooks import CheckpointHook
from mmengine.runner import EpochBasedTrainLoop

from mmssl_geo.datasets.samplers import EpochSampler
from mmssl_geo.registry import LOOPS
from mmssl_geo.utils.errors import UserError

from .progress import accumulative_counts

DATA_STREAM = 'data_stream'


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """mmengine's epoch loop, which after a resume goes on with the batch that would have come next.

    The batches that a checkpoint saved in mid-epoch has behind it are skipped in the sampler, none is read. What the
    order of the data depends on (images, batch size over all processes, seed) is kept in the checkpoint; if any of it
    is different now, the run goes on at the beginning of the epoch that it was in, with a warning.

    Half-accumulated gradients are in no checkpoint. So checkpoints saved by iteration have to be saved at optimizer
    steps; of those saved by epoch a warning says so if an epoch is no whole number of optimizer steps.

    Args:
        runner (Runner): the runner.
        dataloader (dict | DataLoader): its sampler has to be an `EpochSampler`.
        **kwargs: `max_epochs`, `val_begin`, `val_interval`, ... of mmengine's `EpochBasedTrainLoop`.

    Raises:
        UserError: another sampler, not a single whole batch, or (in `run`) checkpoints saved between optimizer steps.
    """

    def __init__(self, runner, dataloader, **kwargs):
        self._seed_when_built = runner.seed
        super().__init__(runner, dataloader, **kwargs)
        self.sampler = self.dataloader.batch_sampler.sampler
        self.batch_size = self.dataloader.batch_sampler.batch_size
        if not isinstance(self.sampler, EpochSampler):
            raise UserError(f'ResumableEpochLoop cannot resume a {type(self.sampler).__name__}: '
                            'set train_dataloader.sampler.type=mmssl_geo.EpochSampler')
        if len(self.dataloader) == 0:
            raise UserError(f'{self.sampler.num_images} images give {self.sampler.num_samples} to each of '
                            f'{self.sampler.world_size} processes, less than one batch of {self.batch_size}: '
                            'lower train_dataloader.batch_size')

    def run(self):
        """Trains, from the place that a resumed checkpoint names on."""
        self._check_checkpoints_are_at_optimizer_steps()
        if self._epoch >= self._max_epochs:
            self.runner.logger.warning(f'the run is already at epoch {self._epoch} of {self._max_epochs}, nothing is '
                                       'left to do: raise train_cfg.max_epochs to go on')
        self._find_place_in_data_stream()
        return super().run()

    def run_epoch(self):
        """One epoch, or what is left of it."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        batches_done = self._iter - self._epoch * len(self.dataloader)
        self.sampler.set_epoch(self._epoch)
        self.sampler.set_start(batches_done * self.batch_size)
        for index, data_batch in enumerate(self.dataloader, batches_done):
            self.run_iter(index, data_batch)

        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _find_place_in_data_stream(self):
        # Runner.resume takes over the checkpoint's seed when the sampler has already been built with another one.
        if self.sampler.seed == self._seed_when_built:
            self.sampler.seed = self.runner.seed
        if getattr(self.dataloader.dataset, 'seed', 0) is None:
            self.dataloader.dataset.seed = self.runner.seed
        saved = self.runner.message_hub.get_info(DATA_STREAM)
        stream = self._describe_data_stream()
        self.runner.message_hub.update_info(DATA_STREAM, stream)
        if self._iter == 0:
            return
        length = len(self.dataloader)
        if saved in (None, stream) and 0 <= self._iter - self._epoch * length <= length:
            self._epoch, skipped = divmod(self._iter, length)  # after an epoch's last batch its successor begins
            self.runner.logger.info(f'the run goes on in epoch {self._epoch + 1} after {skipped} of its batches')
        else:
            self._restart_epoch(saved, stream)

    def _describe_data_stream(self):
        return dict(
            num_images=self.sampler.num_images,
            total_batch_size=self.batch_size * self.sampler.world_size,
            batches_per_epoch=len(self.dataloader),
            shuffle=self.sampler.shuffle,
            seed=self.sampler.seed)

    def _restart_epoch(self, saved, stream):
        """Goes to the beginning of an epoch, and to the iteration that this is with the present epoch length."""
        saved = saved or {}
        if self._iter == (self._epoch + 1) * saved.get('batches_per_epoch', 0):
            self._epoch += 1
        was_iter, self._iter = self._iter, self._epoch * len(self.dataloader)
        changes = ', '.join(f'{key} {saved.get(key, "unknown")} -> {now}' for key, now in stream.items()
                            if saved.get(key) != now)
        self.runner.logger.warning(
            f'the data come in another order than when the checkpoint was saved ({changes}): the run goes on at the '
            f'beginning of epoch {self._epoch + 1}, iteration {was_iter} becomes {self._iter}')
        self.runner.optim_wrapper.initialize_count_status(self.runner.model, self._iter, self._max_iters)

    def _check_checkpoints_are_at_optimizer_steps(self):
        counts = accumulative_counts(self.runner)
        for hook in self.runner.hooks:
            if not isinstance(hook, CheckpointHook) or hook.interval <= 0:
                continue
            if not hook.by_epoch and (hook.interval % counts or hook.save_begin % counts):
                raise UserError(
                    f'a checkpoint every {hook.interval} iterations (from {hook.save_begin} on) would be saved with '
                    f'half-accumulated gradients, which cannot be resumed: set default_hooks.checkpoint.interval and '
                    f'save_begin to multiples of optim_wrapper.accumulative_counts={counts}')
            if hook.by_epoch and hook.interval * len(self.dataloader) % counts:
                self.runner.logger.warning(
                    f'an epoch of {len(self.dataloader)} iterations is no whole number of optimizer steps '
                    f'(accumulative_counts={counts}): a run resumed from the checkpoint of an epoch lacks the '
                    f'gradients of up to {counts - 1} iterations; default_hooks.checkpoint.by_epoch=False with an '
                    f'interval that is a multiple of {counts} resumes exactly')
