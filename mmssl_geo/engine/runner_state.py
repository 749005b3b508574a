"""Where a run stands, in optimizer steps."""
import math

from mmengine.model import is_model_wrapper


def optimizer_steps(runner):
    """`(step, total)`: 0-based number of the optimizer step that the current iteration belongs to, and their number."""
    accumulation = accumulative_counts(runner)
    return runner.iter // accumulation, math.ceil(runner.max_iters / accumulation)


def accumulative_counts(runner):
    """Iterations per optimizer step."""
    return runner.optim_wrapper._accumulative_counts


def total_batch_size(runner):
    """Images per optimizer step over all processes."""
    return runner.train_dataloader.batch_size * runner.world_size * accumulative_counts(runner)


def unwrapped_model(runner):
    """The runner's model without its distributed wrapper."""
    return unwrap_model(runner.model)


def unwrap_model(model):
    """A model without its distributed wrapper."""
    return model.module if is_model_wrapper(model) else model
