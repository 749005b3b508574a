"""Compiles parts of a model before training."""

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmssl_geo.engine.runner_values import unwrapped_model
from mmssl_geo.registry import HOOKS
from mmssl_geo.utils.errors import UserError


@HOOKS.register_module()
class CompileHook(Hook):
    """Compiles parts of the model in place with `torch.compile`; names in checkpoints do not change.

    Enable it by `--cfg-options default_hooks.compile.type=mmssl_geo.CompileHook`. The first iterations compile one
    graph for each size of view, which takes minutes and needs a C++ compiler (on a GPU, Triton too).

    Only modules that are called as a whole run compiled. D3SSL calls a ResNet stage by stage: name the stages there,
    such as `parts=['backbone.layer1', 'backbone.layer2', 'backbone.layer3', 'backbone.layer4']`.

    Args:
        parts: Names of the modules to compile.
        **options: Options of `torch.compile`, such as `mode='max-autotune-no-cudagraphs'`.

    Raises:
        UserError: In `before_train`, if the model has no such part, or mixes patches: a compiled backbone does not see
            the replaced embeddings.
    """

    def __init__(
        self,
        parts: Sequence[str] = ('backbone', 'neck', 'teacher.backbone', 'teacher.neck'),
        **options: Any,  # noqa: ANN401
    ) -> None:
        self.parts = parts
        self.options = dict(dynamic=False, **options)

    def before_train(self, runner: Runner) -> None:
        model = unwrapped_model(runner)
        if getattr(model, 'mixing', None) is not None:
            raise UserError(
                'CompileHook cannot compile a model that mixes patches: set model.mixing=None or remove '
                'default_hooks.compile'
            )
        for name in self.parts:
            try:
                part = model.get_submodule(name)
            except AttributeError as error:
                raise UserError(
                    f'CompileHook: the model has no part {name!r}: correct default_hooks.compile.parts'
                ) from error
            part.compile(**self.options)
        runner.logger.info(f'compiled {", ".join(self.parts)}; the first iterations are slow')
