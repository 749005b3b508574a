"""Optimisation steps of the official net: losses, clipped gradients and what becomes of every parameter."""
import torch

from mmssl_geo.utils.errors import NonFiniteLossError, UserError

from .models import build_model
from .optimizer import build_wrapper
from .quantity import Quantity, relative_difference
from .reference import number, views_of
from .views import stored_views

_TOLERANCE = 1e-6
_GRADIENT, _PARAMETER = 'grad_abs_sum/', 'param_abs_sum/'


def step_quantities(cfg, reference):
    """Trains as `ResumableEpochLoop` does (teacher first, then `train_step`) in float64; schedules are the file's."""
    steps = reference.train_steps
    model, called = build_model(
        cfg, reference, backbone=dict(drop_path_rate=0.), data_preprocessor=dict(type='mmengine.BaseDataPreprocessor'),
        head=dict(correspondence_weight=number(steps, 'pc_weight'), rotation_weight=number(steps, 'rotation_weight')))
    _prepare(model, number(reference.schedules, 'warmup_epochs'))
    _check_names(model, called, steps)
    losses, seen = _train(model, called, build_wrapper(cfg, model, number(steps, 'clip')), reference)
    yield Quantity('training steps: losses', _losses_difference(losses, steps), _TOLERANCE)
    for title, prefix, side in (('clipped gradients', _GRADIENT, ''), ('student parameters', _PARAMETER, 'student'),
                                ('teacher parameters', _PARAMETER, 'teacher')):
        differences = {
            official: relative_difference(torch.tensor(seen.get(prefix + official, []), dtype=torch.float64),
                                          steps[prefix + official])
            for ours, official in called.items()
            if prefix + official in steps and side in ('', 'teacher' if ours.startswith('teacher.') else 'student')}
        worst = max(differences, key=differences.get)
        yield Quantity(f'training steps: {title}', differences[worst], _TOLERANCE, where=worst)


def _prepare(model, warmup_epochs):
    """As the reference was computed: float64, warm-up over, position embeddings constant over positions and frozen."""
    model.double().train()
    model.set_epoch(warmup_epochs + 1, warmup_epochs)
    for backbone in (model.backbone, model.teacher.backbone):
        backbone.pos_embed.requires_grad_(False)
        backbone.pos_embed[:, 1:] = backbone.pos_embed[:, 1:].mean(dim=1, keepdim=True)


def _train(model, called, wrapper, reference):
    """Returns the losses `(K, 4)` and absolute sums by the names of the file."""
    steps, seen, losses = reference.train_steps, {}, []
    images = {kind: views.double() for kind, views in views_of(reference.tiny_model).items()}
    views = stored_views(reference.tiny_model, images)

    def note(prefix, tensors):
        for name, tensor in tensors:
            if tensor is not None:
                seen.setdefault(prefix + called[name], []).append(tensor.detach().abs().sum().item())

    # mmengine's wrapper clips, then calls the optimizer
    wrapper.optimizer.register_step_pre_hook(
        lambda *_: note(_GRADIENT, ((name, param.grad) for name, param in model.named_parameters())))
    for rate, decay, momentum in zip(steps['lr'], steps['weight_decay'], steps['momentum'], strict=True):
        for group in wrapper.param_groups:
            group['lr'] = rate.item()
            if group.get('decayed'):
                group['weight_decay'] = decay.item()
        model.update_teacher(momentum.item())
        try:
            log = model.train_step(dict(views=views), wrapper)
        except NonFiniteLossError:
            break  # the steps that are missing differ from the reference
        losses.append([log['loss'].item(), log['loss_crop'].item(), -log['match_cosine'].item(),
                       log['loss_rotation'].item()])
        note(_PARAMETER, model.named_parameters())
    return torch.tensor(losses, dtype=torch.float64), seen


def _losses_difference(losses, steps):
    """Largest relative difference of a loss; ours of the rotation has its weight on it, that of the matches has not."""
    theirs = steps['losses'] * torch.stack([*torch.ones(3, dtype=torch.float64), steps['rotation_weight']])
    if losses.shape != theirs.shape:
        return float('inf')
    return max(relative_difference(ours, column) for ours, column in zip(losses.t(), theirs.t(), strict=True))


def _check_names(model, called, steps):
    due = {_PARAMETER + official for official in called.values()}
    due |= {_GRADIENT + called[name] for name, param in model.named_parameters() if param.requires_grad}
    for name in sorted(due):
        if name not in steps:
            raise UserError(f'train_steps.npz has no array {name}')
        if steps[name].shape != steps['lr'].shape:
            raise UserError(f'train_steps.npz: {name} has the shape {tuple(steps[name].shape)}, '
                            f'{tuple(steps["lr"].shape)} is due, as lr has')
    unknown = sorted(name for name in steps if '/' in name and name.split('/')[1] not in called.values())
    if unknown:
        raise UserError(f'train_steps.npz: {unknown[0]} belongs to no weight of the model')
