"""Values that hooks and loops derive from a runner: optimizer steps, total batch size, the unwrapped model."""

import math
from typing import Any, cast

from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from torch import nn


def optimizer_steps(runner: Runner) -> tuple[int, int]:
    """Returns the 0-based optimizer step that the current iteration belongs to, and the number of steps of the run."""
    accumulation = accumulative_counts(runner)
    return runner.iter // accumulation, math.ceil(runner.max_iters / accumulation)


def accumulative_counts(runner: Runner) -> int:
    """Returns the number of iterations per optimizer step."""
    return runner.optim_wrapper._accumulative_counts


def total_batch_size(runner: Runner) -> int:
    """Returns the number of images per optimizer step over all processes."""
    return runner.train_dataloader.batch_size * runner.world_size * accumulative_counts(runner)


def unwrapped_model(runner: Runner) -> Any:  # noqa: ANN401  (a model with methods beyond those of `nn.Module`)
    """Returns the runner's model without wrappers, see `unwrap_model`."""
    return unwrap_model(runner.model)


def unwrap_model(model: nn.Module) -> nn.Module:
    """Returns a model without its distributed wrapper and without that for test-time augmentation."""
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = cast(nn.Module, model.module)
    return model
