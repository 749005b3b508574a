"""Losses of stored feature maps, and the feature maps of the network."""

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from .models import build_model
from .quantity import Quantity, relative_difference
from .reference import Arrays, Reference, integer, stack_views
from .views import stored_views

_UNWEIGHTED = dict(correspondence_weight=1.0, rotation_weight=1.0)
LOSS_TOLERANCE, GRADIENT_TOLERANCE, MAP_TOLERANCE = 1e-9, 1e-7, 1e-5


def loss_quantities(cfg: Config, reference: Reference) -> Iterator[Quantity]:
    """Compares the pair losses of `losses.npz` and their gradients, in float64."""
    arrays = reference.losses
    student = {kind: arrays[f'student_{kind}'].clone().requires_grad_() for kind in ('global', 'local')}
    head, width = _double_head(cfg, reference)
    # The rotation loss needs backbone maps; `stored_output_quantities` compares it.
    features = {kind: torch.zeros(len(maps), width, 1, 1, dtype=maps.dtype) for kind, maps in student.items()}
    losses = _losses(head, reference, arrays, features, student, arrays['teacher_global'])
    for title, loss_name, official_name, grad_name in (
        ('crop', 'loss_crop', 'crop_loss', 'crop_grad'),
        ('patch correspondence', 'loss_correspondence', 'patch_correspondence_loss', 'pc_grad'),
    ):
        loss = losses[loss_name]
        yield Quantity(f'{title} loss', relative_difference(loss, arrays[official_name]), LOSS_TOLERANCE)
        gradients = torch.autograd.grad(loss, list(student.values()), retain_graph=True)
        difference = max(
            relative_difference(gradient, arrays[f'{grad_name}_{kind}'])
            for kind, gradient in zip(student, gradients, strict=True)
        )
        yield Quantity(f'{title} loss, gradient', difference, GRADIENT_TOLERANCE)


@torch.no_grad()
def stored_output_quantities(cfg: Config, reference: Reference) -> Iterator[Quantity]:
    """Compares all losses of the official network's stored tokens and outputs, in float64."""
    arrays = reference.tiny_model
    student = {kind: arrays[f'student_out_{kind}'] for kind in ('global', 'local')}
    features = {
        kind: arrays[f'student_tokens_{kind}'].transpose(1, 2).unflatten(2, tuple(maps.shape[-2:]))
        for kind, maps in student.items()
    }
    head, _ = _double_head(cfg, reference)
    losses = _losses(head, reference, arrays, features, student, arrays['teacher_out_global'])
    for name, loss_name, official_name in (
        ('rotation loss of the stored tokens', 'loss_rotation', 'rotation_loss'),
        ('crop loss of the stored outputs', 'loss_crop', 'crop_loss'),
        ('patch correspondence loss of the stored outputs', 'loss_correspondence', 'patch_correspondence_loss'),
    ):
        yield Quantity(name, relative_difference(losses[loss_name], arrays[official_name]), LOSS_TOLERANCE)


@torch.no_grad()
def net_quantities(cfg: Config, reference: Reference) -> Iterator[Quantity]:
    """Compares tokens and outputs of the registered model with the official weights, in float32."""
    arrays, images = reference.tiny_model, stack_views(reference.tiny_model)
    model, _ = build_model(cfg, reference)
    side = images['global'].shape[-1]
    model.train()
    difference = relative_difference(model.teacher(images['global']), arrays['teacher_out_global'])
    yield Quantity(f'{side} px views, teacher outputs', difference, MAP_TOLERANCE)
    model.eval()
    tolerances = {'global': MAP_TOLERANCE, 'local': None}  # the position embedding of local views is interpolated
    for kind, tolerance in tolerances.items():
        side = images[kind].shape[-1]
        maps = model.extract_feat(images[kind])
        difference = relative_difference(maps.flatten(2).transpose(1, 2), arrays[f'student_tokens_{kind}'])
        yield Quantity(f'{side} px views, student tokens', difference, tolerance)
        outputs = model.head.predict({kind: model.neck(maps)})[kind]
        difference = relative_difference(outputs, arrays[f'student_out_{kind}'])
        yield Quantity(f'{side} px views, student outputs', difference, tolerance)


def _double_head(cfg: Config, reference: Reference) -> tuple[Any, int]:
    """Returns the head in float64 and the width of the backbone."""
    model, _ = build_model(cfg, reference, head=_UNWEIGHTED)
    return model.head.double(), model.backbone.embed_dims


def _losses(
    head: Any,  # noqa: ANN401  (a registered head)
    reference: Reference,
    arrays: Arrays,
    features: dict[str, Tensor],
    student: dict[str, Tensor],
    teacher: Tensor,
) -> dict[str, Tensor]:
    views = stored_views(arrays)
    stride = integer(reference.tiny_model, 'patch_size')
    return head.loss(features, student, teacher, views.pairs(), views.turns_by_kind(), stride)
