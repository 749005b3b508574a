"""The order of the steps of a pipeline.

A pipeline is a list, whose steps run as they stand, or a dict of named steps, so that a config that inherits and
`--cfg-options` can change one of them by its name. The order of a dict's keys does not matter, because
`Config.dump` sorts them. A named step runs

- directly before or after the step that its key `before` or `after` names, or else
- in the `Stage` that its class declares; steps of one stage run in the order of their names.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import IntEnum
from itertools import pairwise
from typing import Any

from mmengine.dataset import Compose

from mmssl_geo.registry import TRANSFORMS
from mmssl_geo.utils.errors import UserError

Step = Mapping[str, Any] | Callable[[dict], dict]
Pipeline = Sequence[Step | None] | Mapping[str, Step | None]


class Stage(IntEnum):
    """When a transform runs in a dict of named steps, earliest first; a transform declares its own as `stage`."""

    REGIONS = 0  # loads or draws regions in the whole image
    CROP = 1  # cuts the views out of the image
    FLIP = 2
    PHOTOMETRIC = 3  # changes colours; before anything is cut out, so that what is filled keeps its colour
    TURN = 4
    CUTOUT = 5  # cuts holes into regions
    SURROUNDINGS = 6  # changes what is around the regions, which holes may show
    DERIVE = 7  # makes views of other views
    REPLACE = 8  # modifies a view in place, after others have been derived from it
    PACK = 9  # turns views into tensors; nothing can follow


def pipeline_steps(pipeline: Pipeline) -> list[Step]:
    """Returns the steps of a pipeline in the order in which they run, without those that are None.

    Args:
        pipeline: Configs of transforms or callables, as a list or as a dict of named steps.

    Returns:
        The steps, without their keys `before` and `after`.

    Raises:
        UserError: If a step is neither a config nor a callable, or its place is missing, unknown or impossible.
    """
    return [step for _, step in _ordered_steps(pipeline)]


def build_pipeline(pipeline: Pipeline) -> Compose:
    """Builds the steps of a pipeline into one transform.

    Args:
        pipeline: Configs of transforms or callables, as a list or as a dict of named steps.

    Raises:
        UserError: As for `pipeline_steps`.
    """
    return Compose(
        [TRANSFORMS.build(dict(step)) if isinstance(step, Mapping) else step for step in pipeline_steps(pipeline)]
    )


def _ordered_steps(pipeline: Pipeline) -> list[tuple[str, Step]]:
    """Returns the names and steps in order, and checks that nothing follows the packing step."""
    named = isinstance(pipeline, Mapping)
    pairs = pipeline.items() if isinstance(pipeline, Mapping) else enumerate(pipeline)
    steps = {str(name): _check(str(name), step) for name, step in pairs if step is not None}
    order = _order(steps) if named else list(steps)
    for name, later in pairwise(order):
        if _stage(name, steps[name]) is Stage.PACK:
            raise UserError(
                f'step {later} of the pipeline comes after {name}, which must be the last: '
                + (f"write ...pipeline.{later}.before='{name}'" if named else f'move it before {name}')
            )
    return [(name, _without_place(steps[name]) if named else steps[name]) for name in order]


def _check(name: str, step: Step) -> Step:
    if not (isinstance(step, Mapping) or callable(step)):
        raise UserError(
            f'step {name} of the pipeline must be a config, or None to remove it, got {step!r}: '
            f'write ...pipeline.{name}=None'
        )
    return step


def _order(steps: Mapping[str, Step]) -> list[str]:
    """Returns the names in order: those with a stage by stage and name, the others around the steps they name."""
    free: list[tuple[Stage, str]] = []
    placed: dict[tuple[str, str], list[str]] = {}
    for name in sorted(steps):
        place = _place(name, steps)
        if place:
            placed.setdefault(place, []).append(name)
        else:
            free.append((_stage_or_fail(name, steps[name]), name))

    def around(name: str) -> Iterator[str]:
        for earlier in placed.get(('before', name), []):
            yield from around(earlier)
        yield name
        for later in placed.get(('after', name), []):
            yield from around(later)

    order = [name for _, anchor in sorted(free) for name in around(anchor)]
    if len(order) < len(steps):
        cyclic = ', '.join(sorted(set(steps) - set(order)))
        raise UserError(
            f'the steps {cyclic} of the pipeline are placed only relative to each other: '
            'change the `before` or `after` of one of them'
        )
    return order


def _place(name: str, steps: Mapping[str, Step]) -> tuple[str, str] | None:
    """Returns `('before' or 'after', name of another step)`, None if the step's config has no such key."""
    step = steps[name]
    places = [
        (key, step[key]) for key in ('before', 'after') if isinstance(step, Mapping) and step.get(key) is not None
    ]
    if len(places) > 1:
        raise UserError(f'step {name} of the pipeline has both `before` and `after`: give one of them')
    if not places:
        return None
    key, anchor = places[0]
    if anchor not in steps or anchor == name:
        others = ', '.join(other for other in steps if other != name)
        raise UserError(
            f'step {name} of the pipeline: {key}={anchor!r} names no other step of it; the others are '
            f'{others or "none"}'
        )
    return key, anchor


def _stage_or_fail(name: str, step: Step) -> Stage:
    stage = _stage(name, step)
    if stage is None:
        raise UserError(
            f'step {name} of the pipeline has no place: add `before` or `after` with the name of another '
            f"step, as ...pipeline.{name}.before='pack'"
        )
    return stage


def _stage(name: str, step: Step) -> Stage | None:
    return getattr(_transform_class(name, step) if isinstance(step, Mapping) else step, 'stage', None)


def _transform_class(name: str, step: Mapping[str, Any]) -> object:
    transform = step.get('type')
    if isinstance(transform, str):
        try:
            with TRANSFORMS.switch_scope_and_registry(None) as registry:  # as `TRANSFORMS.build` looks it up
                transform = registry.get(transform)
        except RuntimeError:  # mmengine 0.10 raises, older versions return None
            transform = None
    if transform is None:
        raise UserError(
            f'step {name} of the pipeline: no transform is registered as {step.get("type")!r}; correct its '
            '`type`, or import its module with `custom_imports`'
        )
    return transform


def _without_place(step: Step) -> Step:
    if not isinstance(step, Mapping):
        return step
    return {key: value for key, value in step.items() if key not in ('before', 'after')}
