"""Losses of stored maps, and the maps of the net itself."""
import torch

from .models import build_model
from .quantity import Quantity, relative_difference
from .reference import number, views_of
from .views import stored_views

_UNWEIGHTED = dict(correspondence_weight=1., rotation_weight=1.)
LOSS, GRADIENT, MAPS = 1e-9, 1e-7, 1e-5


def loss_quantities(cfg, reference):
    """The pair losses of `losses.npz` and their gradients in float64."""
    arrays = reference.losses
    student = {kind: arrays[f'student_{kind}'].clone().requires_grad_() for kind in ('global', 'local')}
    head, width = _double_head(cfg, reference)
    # the rotation loss needs backbone maps and is looked at elsewhere
    features = {kind: torch.zeros(len(maps), width, 1, 1, dtype=maps.dtype) for kind, maps in student.items()}
    losses = _losses(head, reference, arrays, features, student, arrays['teacher_global'])
    for name, ours, theirs in (('crop', 'loss_crop', 'crop_loss'),
                               ('patch correspondence', 'loss_correspondence', 'patch_correspondence_loss')):
        yield Quantity(f'{name} loss', relative_difference(losses[ours], arrays[theirs]), LOSS)
        gradients = torch.autograd.grad(losses[ours], list(student.values()), retain_graph=True)
        stored = 'crop_grad' if ours == 'loss_crop' else 'pc_grad'
        yield Quantity(f'{name} loss, gradient', max(
            relative_difference(gradient, arrays[f'{stored}_{kind}'])
            for kind, gradient in zip(student, gradients, strict=True)), GRADIENT)


@torch.no_grad()
def stored_output_quantities(cfg, reference):
    """All losses of the stored tokens and outputs of the official net in float64."""
    arrays = reference.tiny_model
    student = {kind: arrays[f'student_out_{kind}'] for kind in ('global', 'local')}
    features = {
        kind: arrays[f'student_tokens_{kind}'].transpose(1, 2).unflatten(2, maps.shape[-2:])
        for kind, maps in student.items()}
    head, _ = _double_head(cfg, reference)
    losses = _losses(head, reference, arrays, features, student, arrays['teacher_out_global'])
    for name, ours, theirs in (('rotation loss of the stored tokens', 'loss_rotation', 'rotation_loss'),
                               ('crop loss of the stored outputs', 'loss_crop', 'crop_loss'),
                               ('patch correspondence loss of the stored outputs', 'loss_correspondence',
                                'patch_correspondence_loss')):
        yield Quantity(name, relative_difference(losses[ours], arrays[theirs]), LOSS)


@torch.no_grad()
def net_quantities(cfg, reference):
    """Tokens and outputs of the registered model with the official weights in float32."""
    arrays, images = reference.tiny_model, views_of(reference.tiny_model)
    model, _ = build_model(cfg, reference)
    side = images['global'].shape[-1]
    model.train()
    yield Quantity(f'{side} px views, teacher outputs', relative_difference(
        model.teacher(images['global']), arrays['teacher_out_global']), MAPS)
    model.eval()
    for kind, tolerance in (('global', MAPS), ('local', None)):  # the local views' position embedding is interpolated
        side = images[kind].shape[-1]
        maps = model.extract_feat(images[kind])
        tokens = maps.flatten(2).transpose(1, 2)
        yield Quantity(f'{side} px views, student tokens', relative_difference(
            tokens, arrays[f'student_tokens_{kind}']), tolerance)
        outputs = model.head.predict({kind: model.neck(maps)})[kind]
        yield Quantity(f'{side} px views, student outputs', relative_difference(
            outputs, arrays[f'student_out_{kind}']), tolerance)


def _double_head(cfg, reference):
    model, _ = build_model(cfg, reference, head=_UNWEIGHTED)
    return model.head.double(), model.backbone.embed_dims


def _losses(head, reference, arrays, features, student, teacher):
    views = stored_views(arrays)
    return head.loss(features, student, teacher, views.pairs(), views.turns_by_kind(),
                     number(reference.tiny_model, 'patch_size'))
