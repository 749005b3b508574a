"""Pipelines of named steps."""
from itertools import pairwise

from mmengine.dataset import Compose

from mmssl_geo.registry import TRANSFORMS
from mmssl_geo.utils.errors import UserError


def pipeline_steps(pipeline):
    """The steps of a pipeline in order, without those that are None: of a sequence, or of a dict of named steps.

    Raises:
        UserError: a step is no config, no transform and not None.
    """
    return list(_named_steps(pipeline).values())


def build_pipeline(pipeline):
    """`Compose` of the steps of a pipeline.

    Raises:
        UserError: a step is impossible, or comes after the packing step.
    """
    steps = {name: TRANSFORMS.build(step) if isinstance(step, dict) else step
             for name, step in _named_steps(pipeline).items()}
    for (name, step), (later, _) in pairwise(steps.items()):
        if getattr(step, 'comes_last', False):
            raise UserError(f'step {later} comes after {name}, which has to be the last of the pipeline '
                            '(--cfg-options appends new steps): put it before it in a config file')
    return Compose(list(steps.values()))


def _named_steps(pipeline):
    named = dict(pipeline.items() if isinstance(pipeline, dict) else enumerate(pipeline))
    for name, step in named.items():
        if not (step is None or isinstance(step, dict) or callable(step)):
            raise UserError(f'step {name} of the pipeline must be a config, or None to leave it out, got {step!r}: '
                            f'write ...pipeline.{name}=None')
    return {name: step for name, step in named.items() if step is not None}
