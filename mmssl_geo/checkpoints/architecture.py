"""What the converter asks of a kind of net; `ViT` and `ResNet` answer."""
import importlib
from abc import ABC, abstractmethod

import torch

from mmssl_geo.utils.errors import UserError


class Architecture(ABC):
    """A kind of net.

    `own` is always one encoder's weights by their own names, as in the source file and without a prefix; `naming`
    says whose names these are.

    Attributes:
        title: what users call it, and what it may not have.
        extras: what names of weights start with that encoders come with but that are no part of them.
    """
    title: str
    extras: tuple

    @abstractmethod
    def names(self, own, naming):
        """All names that a net with as many blocks as `own` must have, in an order that all namings share."""

    @abstractmethod
    def read_facts(self, own, naming, called, meta, num_heads, patch_size):
        """Facts of the net, all weights checked.

        Args:
            own: name -> tensor, all of `names` there and nothing else.
            naming: whose names.
            called: own name -> name in the file, for messages.
            meta: the checkpoint's `meta`, of any form.
            num_heads: the user's word, or None.
            patch_size: the user's word, or None.

        Returns:
            facts: with `summary` (one line), `meta` (dict of plain values), `stride` (view pixels per cell of the last
            map) and `channels` (of the last map).

        Raises:
            UserError: a shape does not fit, a weight is not finite, or the user's word is wrong.
        """

    @abstractmethod
    def export(self, own, naming, facts, to):
        """Weights for a package.

        Returns:
            tuple: (name there -> tensor, name there -> own name, or None for a tensor that is made here).

        Raises:
            UserError: the package needs something that the source does not have.
        """

    @abstractmethod
    def reference(self, own, naming, facts, to):
        """Function images -> list of feature tensors, of the source's weights in their own form."""

    @abstractmethod
    def converted(self, weights, facts, to):
        """Function images -> list of feature tensors, of the package's own class, loaded strictly, in float64."""

    @abstractmethod
    def timm_config(self, facts):
        """What `hub_folder.write_hub_folder` has to know of the net."""

    @abstractmethod
    def timm_features(self, net):
        """Function images -> list of feature tensors, of timm's net with its weights, in float64."""

    @abstractmethod
    def onnx_form(self, weights, facts):
        """`OnnxForm` of the net, from the weights that were exported for it."""

    @abstractmethod
    def from_onnx(self, outputs):
        """Features, as `reference` gives them, from the outputs of an `OnnxForm`."""

    @abstractmethod
    def sizes(self, naming, facts, to):
        """Image sizes (height, width) in pixels at which source and target have to give equal features."""

    @abstractmethod
    def encoder(self, own, naming, facts):
        """mmpretrain's backbone with these weights, float32, whose last output is the map of patches."""


def check_weights(state, shapes, called, what):
    """Raises unless every tensor has its shape, floating point numbers, all finite, and no negative variance.

    Args:
        state: name -> tensor.
        shapes: name -> tuple.
        called: name -> name in the file, for messages.
        what: the net, for messages.

    Raises:
        UserError: names the first tensor that does not fit, or cannot be a weight.
    """
    for key, value in state.items():
        if tuple(value.shape) != shapes[key]:
            raise UserError(f'{called[key]} has the shape {tuple(value.shape)}; {shapes[key]} is due for a {what}')
        if key.endswith('num_batches_tracked'):
            continue
        if not value.is_floating_point():
            raise UserError(f'{called[key]} holds {value.dtype} numbers; weights are floating point numbers: take the '
                            'checkpoint before it was quantised')
        if not torch.isfinite(value).all():
            raise UserError(f'{called[key]} holds values that are not finite numbers (NaN or Inf): the training '
                            'broke down; take an earlier checkpoint')
        if key.endswith('running_var') and (value < 0).any():
            raise UserError(f'{called[key]} holds negative numbers, which no variance is: the file is damaged; take '
                            'another checkpoint')


def net_class(module, name):
    """Class of a package that may not be installed."""
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise UserError(f'comparing the features needs {error.name}, which is not installed') from error
