"""Freezes the last layer at the beginning of training."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from mmssl_geo.engine.runner_values import unwrapped_model
from mmssl_geo.registry import HOOKS
from mmssl_geo.utils.checks import check_counts
from mmssl_geo.utils.errors import UserError


@HOOKS.register_module()
class FreezeLastLayerHook(Hook):
    """Removes a layer's gradients before every optimizer step of the first epochs (DINO, official code).

    They are removed after clipping, right before the step, so the layer is neither updated nor decayed and the
    optimizer keeps no moments of it. The freeze depends on the runner's epoch only, so a resumed run does the same.

    Args:
        epochs: Number of epochs for which the layer is frozen.
        layer: Name of the layer in the model.

    Raises:
        UserError: In `before_train`, if the model has no such layer or the layer has no parameters.
    """

    priority = 'NORMAL'

    def __init__(self, epochs: int = 1, layer: str = 'neck.last_layer') -> None:
        check_counts('FreezeLastLayerHook', at_least=0, epochs=epochs)
        self.epochs = epochs
        self.layer = layer
        self._handle: RemovableHandle | None = None

    def before_train(self, runner: Runner) -> None:
        try:
            params = list(unwrapped_model(runner).get_submodule(self.layer).parameters())
        except AttributeError as error:
            raise UserError(f'FreezeLastLayerHook: the model has no layer {self.layer!r}: correct `layer`') from error
        if not params:
            raise UserError(f'FreezeLastLayerHook: the layer {self.layer!r} has no parameters: correct `layer`')

        def drop_gradients(optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if runner.epoch < self.epochs:
                for param in params:
                    param.grad = None

        self._handle = runner.optim_wrapper.optimizer.register_step_pre_hook(drop_gradients)

    def after_train(self, runner: Runner) -> None:
        if self._handle is not None:
            self._handle.remove()
