"""Strict loading of pretrained backbones: a checkpoint must match exactly, and errors list the mismatches."""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule, PretrainedInit
from torch import Tensor

from mmssl_geo.checkpoints import read_checkpoint
from mmssl_geo.checkpoints.architecture import FLOAT_TYPES
from mmssl_geo.checkpoints.layouts import strip_wrappers
from mmssl_geo.utils.errors import UserError

BACKBONE_PREFIX = 'backbone.'
INIT_CFG_KEYS = {'type', 'checkpoint', 'prefix', 'allow_code'}
NUM_LISTED_KEYS = 10


class StrictInitMixin(BaseModule):
    """Mixin for backbones of mmpretrain that initialises them and loads `init_cfg.checkpoint` strictly.

    Goes in front of the backbone class. The subclass calls `set_pretrained(init_cfg)` in its `__init__`.

    Attributes:
        part_name: Name used in the log and in messages.
        mismatch_advice: What to do about a checkpoint that does not fit; `{source}` stands for its path.
    """

    part_name = 'backbone'
    mismatch_advice = ''

    def set_pretrained(self, init_cfg: Mapping[str, Any] | None) -> None:
        """Sets the checkpoint to load.

        Args:
            init_cfg: None or `dict(type='Pretrained', checkpoint=None)` for the initialisation alone ('' counts as
                None); `dict(type='Pretrained', checkpoint=PATH, prefix=None)` to load a file afterwards. `prefix` is
                the prefix of the backbone's keys in the file; None detects whether it is `backbone.` or empty.
                `allow_code=True` reads a file that needs code to be run: only for a file you trust.

        Raises:
            UserError: If `init_cfg` has another type or unknown keys.
        """
        check_init_cfg(init_cfg)
        self.pretrained = dict(init_cfg or {})

    def train(self, mode: bool = True) -> 'StrictInitMixin':
        """Sets training mode and returns the module, which mmpretrain's backbones do not."""
        super().train(mode)
        return self

    def init_weights(self) -> None:
        """Initialises the weights, then loads the checkpoint if there is one.

        Raises:
            UserError: If the file is missing or unsafe, or one of its tensors is missing, unexpected, of another shape
                or not finite.
        """
        self.init_random_weights()
        source = self.pretrained.get('checkpoint')
        if source:
            self._load_strictly(source)
        else:
            print_log(f'{self.part_name} starts from random weights', logger='current')
        self._is_init = True

    def init_random_weights(self) -> None:
        """Initialises the weights as before pretraining; as the parent class does unless overridden."""
        super().init_weights()

    def select_weights(self, weights: dict[str, Tensor], source: str) -> dict[str, Tensor]:
        """Returns the tensors of a file that belong to this module; override to leave out or adapt some."""
        return weights

    def required_weights(self) -> dict[str, Tensor]:
        """Returns the module's tensors that a file must hold."""
        return self.state_dict()

    def _load_strictly(self, source: str) -> None:
        stored, num_others = read_backbone(self.pretrained)
        weights, required = self.select_weights(stored, source), self.required_weights()
        check_weights(required, weights, source, self.part_name, self.mismatch_advice.format(source=source))
        self.load_state_dict(weights, strict=False)  # checked above
        num_others += len(stored) - len(weights)
        ignored = f'; {num_others} tensors of other parts ignored' if num_others else ''
        print_log(
            f'loaded {len(weights)} of {len(required)} {self.part_name} tensors from {source} (strict){ignored}',
            logger='current',
        )


def check_init_cfg(init_cfg: Mapping[str, Any] | None) -> None:
    """Refuses an `init_cfg` that strict loading does not support.

    Raises:
        UserError: Unless it is None or `dict(type='Pretrained', checkpoint=..., prefix=..., allow_code=...)`.
    """
    if init_cfg is None:
        return
    if (
        not isinstance(init_cfg, Mapping)
        or init_cfg.get('type') not in ('Pretrained', PretrainedInit)
        or (set(init_cfg) - INIT_CFG_KEYS)
    ):
        raise UserError(
            "backbone.init_cfg: only None or dict(type='Pretrained', checkpoint=..., prefix=...) is supported "
            f'(the method defines the initialisation), got {init_cfg}'
        )


def read_backbone(init_cfg: Mapping[str, Any]) -> tuple[dict[str, Tensor], int]:
    """Reads the file that `init_cfg` names; see `backbone_weights`.

    Raises:
        UserError: If the file is missing, unsafe or no checkpoint.
    """
    checkpoint = read_checkpoint(init_cfg['checkpoint'], allow_code=init_cfg.get('allow_code', False))
    weights = {strip_wrappers(key): value for key, value in stored_weights(checkpoint).items()}
    return backbone_weights(weights, init_cfg.get('prefix'))


def stored_weights(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """Returns the tensors of a checkpoint or of its `state_dict` entry, without the names of wrappers in their keys.

    Raises:
        UserError: If there are no weights by key.
    """
    state = checkpoint.get('state_dict', checkpoint)
    if not isinstance(state, Mapping):
        raise UserError(f'the checkpoint has a {type(state).__name__} as its state_dict, not weights by key')
    return {
        strip_wrappers(str(key), inner_module=False): value for key, value in state.items() if isinstance(value, Tensor)
    }


def backbone_weights(state: Mapping[str, Tensor], prefix: str | None = None) -> tuple[dict[str, Tensor], int]:
    """Selects the backbone's weights.

    Args:
        state: Tensors of a checkpoint by name.
        prefix: Prefix of the backbone's names. None: `backbone.` if any name starts with it, else empty.

    Returns:
        Tensors of the backbone by name without prefix, and the number of other tensors.
    """
    if prefix is None:
        prefix = BACKBONE_PREFIX if any(key.startswith(BACKBONE_PREFIX) for key in state) else ''
    elif prefix and not prefix.endswith('.'):
        prefix += '.'
    chosen = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    return chosen, len(state) - len(chosen)


def check_weights(
    expected: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    source: object,
    part_name: str,
    advice: str,
    allow_unexpected: bool = False,
) -> None:
    """Checks that a file holds every tensor of a model, of the same shape and finite.

    Args:
        expected: Tensors of the model by name.
        found: Tensors of the file by name.
        source: Path of the file, for the message.
        part_name: What the weights belong to, for the message ('backbone').
        advice: What to do about a mismatch, for the message.
        allow_unexpected: Whether the file may hold more than the model.

    Raises:
        UserError: Names the tensors that are missing, unexpected, of another shape or not finite.
    """
    missing = [key for key in expected if key not in found]
    unexpected = [] if allow_unexpected else [key for key in found if key not in expected]
    common = [key for key in expected if key in found]
    reshaped = [
        f'{key} (file {tuple(found[key].shape)}, model {tuple(expected[key].shape)})'
        for key in common
        if found[key].shape != expected[key].shape
    ]
    retyped = [
        f'{key} ({found[key].dtype})'
        for key in common
        if expected[key].is_floating_point() and found[key].dtype not in FLOAT_TYPES
    ]
    non_finite = [key for key in common if found[key].dtype in FLOAT_TYPES and not torch.isfinite(found[key]).all()]
    faults = [
        f'{len(keys)} {fault}: {_listed(keys)}'
        for keys, fault in (
            (missing, f'of {len(expected)} are missing'),
            (unexpected, 'are unexpected'),
            (reshaped, 'have another shape'),
            (retyped, 'are not float32, float16 or bfloat16'),
            (non_finite, 'hold NaN or infinite values'),
        )
        if keys
    ]
    if faults:
        raise UserError(
            f'checkpoint {source} does not fit the {part_name}: of its tensors {"; ".join(faults)}. {advice}'
        )


def _listed(keys: list[str]) -> str:
    more = f', and {len(keys) - NUM_LISTED_KEYS} more' if len(keys) > NUM_LISTED_KEYS else ''
    return ', '.join(keys[:NUM_LISTED_KEYS]) + more
