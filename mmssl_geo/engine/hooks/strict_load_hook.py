"""Stops a run whose checkpoint does not fit the backbone."""
from mmengine.hooks import Hook
from mmengine.model import PretrainedInit

from mmssl_geo.checkpoints import read_checkpoint
from mmssl_geo.engine.runner_state import unwrapped_model
from mmssl_geo.models.backbones.strict_init import BACKBONE_PREFIX, check_weights, stored_weights
from mmssl_geo.registry import HOOKS
from mmssl_geo.utils.errors import UserError

ADVICE = ('For fine-tuning give the pretrained file as `model.backbone.init_cfg.checkpoint`, exported by `python '
          'tools/convert_checkpoint.py {source} OUT.pth --to mmdet` (or mmseg, mmpretrain); `load_from` is for '
          'checkpoints of the whole model.')


@HOOKS.register_module()
class StrictLoadHook(Hook):
    """Makes `load_from`, `resume` and a model's own `init_cfg` fail where mmengine would only log.

    mmengine loads with `strict=False` and reads a file that needs code by running that code. This hook reads the
    file safely before mmengine does, and wants every tensor of the model's `backbone.` to be in it with its shape. A
    resumed run and a test want every tensor of the model. `SSLVisionTransformer` guards the backbone's `init_cfg`.

    Args:
        allow_code: read files that need code to be run (mmengine then runs it): for files of your own making only.
    """

    priority = 'VERY_HIGH'

    def __init__(self, allow_code=False):
        self.allow_code = allow_code
        self._unfit_for_test = None

    def before_run(self, runner):
        """Raises UserError if the file to load is missing, unsafe or no checkpoint."""
        for source, to_check in _sources(runner):
            checkpoint = read_checkpoint(source, allow_code=self.allow_code)
            if to_check:
                _check_backbone(runner, checkpoint, source)

    def after_load_checkpoint(self, runner, checkpoint):
        """Raises UserError if a tensor of the backbone (of a resumed run: of the model) does not fit."""
        source = getattr(runner, '_load_from', None) or f'of {runner.work_dir}'
        if getattr(runner, '_resume', False):
            check_weights(unwrapped_model(runner).state_dict(), stored_weights(checkpoint), source, 'model to resume',
                          'A run is resumed with the config that it began with; start anew without --resume.')
        _check_backbone(runner, checkpoint, source)
        try:
            _check_model(runner, checkpoint, source)
            self._unfit_for_test = None
        except UserError as error:
            self._unfit_for_test = error

    def before_test(self, runner):
        """Raises UserError if the model to test was loaded from a file that holds only a part of it."""
        if self._unfit_for_test is not None:
            raise self._unfit_for_test


def _sources(runner):
    """Files that this run reads, and whether their keys must be checked here (mmengine's loader does not ask us)."""
    if runner._load_from is not None:
        yield runner._load_from, False
    init_cfg = getattr(unwrapped_model(runner), 'init_cfg', None)
    for cfg in init_cfg if isinstance(init_cfg, (list, tuple)) else [init_cfg]:
        if cfg and cfg.get('type') in ('Pretrained', PretrainedInit):
            yield cfg['checkpoint'], True


def _check_backbone(runner, checkpoint, source):
    expected = {key: value for key, value in unwrapped_model(runner).state_dict().items() if key.startswith(BACKBONE_PREFIX)}
    check_weights(expected, stored_weights(checkpoint), source, 'backbone', ADVICE.format(source=source),
                  allow_unexpected=True)


def _check_model(runner, checkpoint, source):
    check_weights(unwrapped_model(runner).state_dict(), stored_weights(checkpoint), source, 'model',
                  'A test needs the checkpoint of a fine-tuned model, made by this config.', allow_unexpected=True)
