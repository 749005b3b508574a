"""Training steps of the official network: losses, clipped gradients and the parameters after every step."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from torch import Tensor

from mmssl_geo.utils.errors import NonFiniteLossError, UserError

from .models import build_model, build_wrapper
from .quantity import Quantity, relative_difference
from .reference import Arrays, Reference, scalar, stack_views
from .views import stored_views

_TOLERANCE = 1e-6
_GRADIENT, _PARAMETER = 'grad_abs_sum/', 'param_abs_sum/'


def step_quantities(cfg: Config, reference: Reference) -> Iterator[Quantity]:
    """Compares training steps as in `ResumableEpochLoop` (teacher first, then `train_step`), in float64.

    Learning rate, weight decay and momentum are those of the file.
    """
    steps = reference.train_steps
    model, names = build_model(
        cfg,
        reference,
        backbone=dict(drop_path_rate=0.0),
        data_preprocessor=dict(type='mmengine.BaseDataPreprocessor'),
        head=dict(correspondence_weight=scalar(steps, 'pc_weight'), rotation_weight=scalar(steps, 'rotation_weight')),
    )
    _prepare(model, scalar(reference.schedules, 'warmup_epochs'))
    _check_names(model, names, steps)
    losses, sums = _train(model, names, build_wrapper(cfg, model, scalar(steps, 'clip')), reference)
    yield Quantity('training steps: losses', _losses_difference(losses, steps), _TOLERANCE)
    for title, prefix, network in (
        ('clipped gradients', _GRADIENT, None),
        ('student parameters', _PARAMETER, 'student'),
        ('teacher parameters', _PARAMETER, 'teacher'),
    ):
        differences = {
            official: relative_difference(
                torch.tensor(sums.get(prefix + official, []), dtype=torch.float64), steps[prefix + official]
            )
            for name, official in names.items()
            if prefix + official in steps and network in (None, 'teacher' if name.startswith('teacher.') else 'student')
        }
        worst = max(differences, key=lambda official: differences[official])
        yield Quantity(f'training steps: {title}', differences[worst], _TOLERANCE, where=worst)


def _prepare(model: Any, warmup_epochs: float) -> None:  # noqa: ANN401  (a registered model)
    """Prepares the model as the reference was computed.

    In float64, after the warm-up, with position embeddings that are equal at all positions and frozen.
    """
    model.double().train()
    model.set_epoch(warmup_epochs + 1, warmup_epochs)
    for backbone in (model.backbone, model.teacher.backbone):
        backbone.pos_embed.requires_grad_(False)
        backbone.pos_embed[:, 1:] = backbone.pos_embed[:, 1:].mean(dim=1, keepdim=True)


def _train(
    model: Any,  # noqa: ANN401  (a registered model)
    names: dict[str, str],
    wrapper: OptimWrapper,
    reference: Reference,
) -> tuple[Tensor, dict[str, list[float]]]:
    """Runs the training steps.

    Returns:
        Losses, shape (K, 4), and the absolute sums of gradients and parameters of every step, by their names in the
        file.
    """
    steps = reference.train_steps
    images = {kind: views.double() for kind, views in stack_views(reference.tiny_model).items()}
    views = stored_views(reference.tiny_model, images)
    losses: list[list[float]] = []
    sums: dict[str, list[float]] = {}

    def record(prefix: str, tensors: Iterable[tuple[str, Tensor | None]]) -> None:
        for name, tensor in tensors:
            if tensor is not None:
                sums.setdefault(prefix + names[name], []).append(tensor.detach().abs().sum().item())

    # mmengine's wrapper clips the gradients, then calls the optimizer.
    wrapper.optimizer.register_step_pre_hook(
        lambda *_: record(_GRADIENT, ((name, param.grad) for name, param in model.named_parameters()))
    )
    for lr, weight_decay, momentum in zip(steps['lr'], steps['weight_decay'], steps['momentum'], strict=True):
        for group in wrapper.param_groups:
            group['lr'] = lr.item()
            if group.get('decayed'):
                group['weight_decay'] = weight_decay.item()
        model.update_teacher(momentum.item())
        try:
            log = model.train_step(dict(views=views), wrapper)
        except NonFiniteLossError:
            break  # fewer steps than in the reference count as a difference
        losses.append(
            [log['loss'].item(), log['loss_crop'].item(), -log['match_cosine'].item(), log['loss_rotation'].item()]
        )
        record(_PARAMETER, model.named_parameters())
    return torch.tensor(losses, dtype=torch.float64), sums


def _losses_difference(losses: Tensor, steps: Arrays) -> float:
    """Returns the largest relative difference of a loss.

    Our rotation loss includes its weight; the correspondence loss (`match_cosine`) does not.
    """
    official = steps['losses'] * torch.stack([*torch.ones(3, dtype=torch.float64), steps['rotation_weight']])
    if losses.shape != official.shape:
        return float('inf')
    return max(relative_difference(ours, theirs) for ours, theirs in zip(losses.t(), official.t(), strict=True))


def _check_names(model: Any, names: dict[str, str], steps: Arrays) -> None:  # noqa: ANN401  (a registered model)
    expected = {_PARAMETER + official for official in names.values()}
    expected |= {_GRADIENT + names[name] for name, param in model.named_parameters() if param.requires_grad}
    for name in sorted(expected):
        if name not in steps:
            raise UserError(f'train_steps.npz has no array {name}')
        if steps[name].shape != steps['lr'].shape:
            raise UserError(
                f'train_steps.npz: {name} has shape {tuple(steps[name].shape)}, expected '
                f'{tuple(steps["lr"].shape)} as for lr'
            )
    unknown = sorted(name for name in steps if '/' in name and name.split('/')[1] not in names.values())
    if unknown:
        raise UserError(f'train_steps.npz: {unknown[0]} does not belong to any weight of the model')
