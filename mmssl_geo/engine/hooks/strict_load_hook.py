"""Stops a run whose checkpoint does not fit the model."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.model import PretrainedInit
from mmengine.runner import Runner

from mmssl_geo.checkpoints import read_checkpoint
from mmssl_geo.engine.checkpoint_loading import install_safe_loaders
from mmssl_geo.engine.runner_values import unwrapped_model
from mmssl_geo.models.backbones.strict_init import BACKBONE_PREFIX, check_weights, stored_weights
from mmssl_geo.registry import HOOKS
from mmssl_geo.utils.errors import UserError

PRETRAINING_ADVICE = (
    'In pretraining, `load_from` takes a checkpoint of the same method and network. To load only the backbone, export '
    'it by `python tools/convert_checkpoint.py {source} OUT.pth --to mmpretrain`, and set CHECKPOINT=OUT.pth.'
)
FINE_TUNING_ADVICE = (
    'For fine-tuning, set `model.backbone.init_cfg.checkpoint` to the pretrained file, exported by `python '
    'tools/convert_checkpoint.py {source} OUT.pth --to mmdet` (or mmseg, mmpretrain); `load_from` is for '
    'checkpoints of the whole model.'
)


@HOOKS.register_module()
class StrictLoadHook(Hook):
    """Makes `load_from`, `resume` and a model's own `init_cfg` fail where mmengine only logs.

    mmengine loads with `strict=False`, and reads a file that needs code by running that code. This hook makes mmengine
    read files safely, and requires every tensor of the model's `backbone.` with its shape. In pretraining, to
    resume and to test, it requires every tensor of the model. The backbone checks its own `init_cfg`.

    Args:
        allow_code: Whether to read files that run code when they load; only for files you trust.
    """

    priority = 'VERY_HIGH'

    def __init__(self, allow_code: bool = False) -> None:
        self.allow_code = allow_code
        self._error_in_test: UserError | None = None

    def before_run(self, runner: Runner) -> None:
        """Makes mmengine read all files safely, and checks those of `init_cfg` of the whole model.

        mmengine calls no hook after it loads the file of an `init_cfg`.

        Raises:
            UserError: If a file is missing, unsafe, not a checkpoint, or does not fit.
        """
        install_safe_loaders(self.allow_code)
        init_cfg: Any = getattr(unwrapped_model(runner), 'init_cfg', None)
        for cfg in init_cfg if isinstance(init_cfg, (list, tuple)) else [init_cfg]:
            if cfg and cfg.get('type') in ('Pretrained', PretrainedInit):
                checkpoint = read_checkpoint(cfg['checkpoint'], allow_code=self.allow_code)
                _check_backbone(runner, checkpoint, cfg['checkpoint'])

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Checks the loaded tensors.

        Raises:
            UserError: If a tensor of the backbone (of the model in pretraining and in a resumed run) is missing or has
                another shape.
        """
        source = getattr(runner, '_load_from', None) or f'of {runner.work_dir}'
        if getattr(runner, '_resume', False):
            _check_resumable(checkpoint, source)
            check_weights(
                unwrapped_model(runner).state_dict(),
                stored_weights(checkpoint),
                source,
                'model to resume',
                'Resume a run with the config it began with, or start a new run without --resume.',
            )
        elif _is_pretraining(runner):
            state = unwrapped_model(runner).state_dict()
            advice = PRETRAINING_ADVICE.format(source=source)
            check_weights(state, stored_weights(checkpoint), source, 'model', advice)
        _check_backbone(runner, checkpoint, source)
        try:
            _check_model(runner, checkpoint, source)
            self._error_in_test = None
        except UserError as error:
            self._error_in_test = error

    def before_test(self, runner: Runner) -> None:
        """Checks that the file held the whole model.

        Raises:
            UserError: If the model to test was loaded from a file that holds only a part of it.
        """
        if self._error_in_test is not None:
            raise self._error_in_test


def _check_resumable(checkpoint: dict[str, Any], source: str) -> None:
    """Checks that a file holds the parts of a run that mmengine restores."""
    kinds = dict(state_dict=dict, optimizer=dict, message_hub=dict, meta=dict)
    missing = [name for name, kind in kinds.items() if not isinstance(checkpoint.get(name), kind)]
    counts = checkpoint['meta'] if 'meta' not in missing else {}
    missing += [f'meta.{name}' for name in ('epoch', 'iter') if not isinstance(counts.get(name), int)]
    if missing:
        raise UserError(
            f'checkpoint {source} cannot be resumed: it lacks {", ".join(missing)}, so it holds weights only. Resume '
            f'from a checkpoint that a run saved, or start a new run from the weights with load_from={source}'
        )


def _is_pretraining(runner: Runner) -> bool:
    return hasattr(unwrapped_model(runner), 'update_teacher')


def _check_backbone(runner: Runner, checkpoint: dict[str, Any], source: str) -> None:
    state = unwrapped_model(runner).state_dict()
    expected = {key: value for key, value in state.items() if key.startswith(BACKBONE_PREFIX)}
    advice = (PRETRAINING_ADVICE if _is_pretraining(runner) else FINE_TUNING_ADVICE).format(source=source)
    check_weights(expected, stored_weights(checkpoint), source, 'backbone', advice, allow_unexpected=True)


def _check_model(runner: Runner, checkpoint: dict[str, Any], source: str) -> None:
    check_weights(
        unwrapped_model(runner).state_dict(),
        stored_weights(checkpoint),
        source,
        'model',
        'Test with a checkpoint of a fine-tuned model of this config.',
        allow_unexpected=True,
    )
