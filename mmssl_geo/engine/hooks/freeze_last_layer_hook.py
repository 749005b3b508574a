"""Keeps a head's last layer as it is while training begins."""
from mmengine.hooks import Hook

from mmssl_geo.engine.runner_state import unwrapped_model
from mmssl_geo.registry import HOOKS
from mmssl_geo.utils.errors import UserError


@HOOKS.register_module()
class FreezeLastLayerHook(Hook):
    """Takes a layer's gradients away before every optimizer step of the first epochs (DINO, official code).

    They are removed after clipping, right before the step, so the layer is neither moved nor decayed and the
    optimizer keeps no moments of it. Nothing but the runner's epoch decides, so a resumed run does the same.

    Args:
        epochs: how many epochs the layer is frozen.
        layer: name of the layer in the model.

    Raises:
        UserError: when the training begins, if the model has no such layer or it has no parameters.
    """
    priority = 'NORMAL'

    def __init__(self, epochs=1, layer='neck.last_layer'):
        self.epochs = epochs
        self.layer = layer

    def before_train(self, runner):
        try:
            params = list(unwrapped_model(runner).get_submodule(self.layer).parameters())
        except AttributeError as error:
            raise UserError(f'FreezeLastLayerHook: the model has no layer {self.layer!r}: correct `layer`') from error
        if not params:
            raise UserError(f'FreezeLastLayerHook: the layer {self.layer!r} has no parameters: correct `layer`')

        def drop_gradients(optimizer, args, kwargs):
            if runner.epoch < self.epochs:
                for param in params:
                    param.grad = None

        self._handle = runner.optim_wrapper.optimizer.register_step_pre_hook(drop_gradients)

    def after_train(self, runner):
        self._handle.remove()
