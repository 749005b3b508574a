"""Head of GTSA: predicts, matches the views' maps and weights the three losses."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmssl_geo.geometry import pool_boxes_of_maps
from mmssl_geo.registry import MODELS
from mmssl_geo.structures import PairGroup
from mmssl_geo.utils.checks import check_numbers
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.tensors import at_least_float32

from .rotation_head import RotationHead


@MODELS.register_module()
class GTSAHead(BaseModule):
    """Crop loss, patch correspondence and rotation prediction over all pairs of views (GTSA).

    The defaults are the method; one key each leaves a part out or makes it invariant (`docs/gtsa.md`, Ablations). The
    forms of the invariant parts are our choice.

    Args:
        predictor: Config of the student's predictor.
        rotation_head: Config of the rotation head. None: no rotation prediction.
        crop_loss: Config of the loss on pooled patches. None: no crop loss; the predictor then needs an ungated
            correspondence loss.
        correspondence_loss: Config of the loss on matching tokens. None: no correspondence loss.
        correspondence_weight: Weight of the correspondence loss after the warm-up; 0 until then (`set_gate`).
        rotation_weight: Weight of the rotation loss.
        pooled_sizes: Cells per side of the pooled patches where the student's view is global and where it is local,
            e.g. `(10, 4)`. None derives them from the maps: 5/7 of a global map's side and 2/3 of a local one's, which
            gives 10 and 4 for 224 and 96 px at patch 16, and 20 and 8 at patch 8 (our choice).
        rotation_targets: 'turned' turns the teacher's patch as the student's view is turned. 'invariant' averages the
            loss over the four turns of the teacher's patch, so that no turn of a view changes the target.
        crop_targets: 'pooled' compares patches of the part that both views show. 'invariant' compares the means of the
            whole maps, so that the target does not depend on where the student's view lies; turns then have no effect.
            'local_invariant' and 'global_invariant' do so where the student's view is of that kind, and act as
            'pooled' where it is of the other.
        gate_correspondence: Whether the correspondence loss starts only after the warm-up.
        decorrelation_loss: Config of a loss on the student backbone's patch tokens of global views, for small data
            (our choice; not part of the method). None: no such loss.
        decorrelation_weight: Weight of the decorrelation loss.
        init_cfg: As in mmengine.

    Raises:
        UserError: If a switch has an unknown value, a part is not a config, or the predictor is left without a loss.
    """

    def __init__(
        self,
        predictor: dict[str, Any],
        rotation_head: dict[str, Any] | None,
        crop_loss: dict[str, Any] | None,
        correspondence_loss: dict[str, Any] | None,
        correspondence_weight: float = 0.5,
        rotation_weight: float = 0.5,
        pooled_sizes: Sequence[int] | None = None,
        rotation_targets: str = 'turned',
        crop_targets: str = 'pooled',
        gate_correspondence: bool = True,
        decorrelation_loss: dict[str, Any] | None = None,
        decorrelation_weight: float = 1.0,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        check_numbers(
            'GTSAHead',
            at_least=0,
            correspondence_weight=correspondence_weight,
            rotation_weight=rotation_weight,
            decorrelation_weight=decorrelation_weight,
        )
        super().__init__(init_cfg)
        _check_choice('rotation_targets', rotation_targets, ('turned', 'invariant'))
        _check_choice('crop_targets', crop_targets, ('pooled', 'invariant', 'local_invariant', 'global_invariant'))
        _check_choice('gate_correspondence', gate_correspondence, (True, False))
        if crop_loss is None and (correspondence_loss is None or gate_correspondence):
            raise UserError(
                'model.head.crop_loss=None leaves the predictor without a loss in the first epochs: keep '
                'model.head.correspondence_loss and set model.head.gate_correspondence=False'
            )
        self.predictor = MODELS.build(predictor)
        self.rotation_head: RotationHead | None = _build_or_none('rotation_head', rotation_head)
        self.crop_loss: nn.Module | None = _build_or_none('crop_loss', crop_loss)
        self.correspondence_loss: nn.Module | None = _build_or_none('correspondence_loss', correspondence_loss)
        self.decorrelation_loss: nn.Module | None = _build_or_none('decorrelation_loss', decorrelation_loss)
        self.decorrelation_weight = decorrelation_weight
        self.correspondence_weight = correspondence_weight
        self.rotation_weight = rotation_weight
        self.pooled_sizes = _sizes_by_kind(pooled_sizes)
        self.rotation_targets = rotation_targets
        self.crop_targets = crop_targets
        self.gate_correspondence = gate_correspondence
        self.gate_open = True

    def set_gate(self, is_open: bool) -> None:
        """Opens or closes the correspondence loss (closed while the learning rate warms up)."""
        self.gate_open = is_open or not self.gate_correspondence

    def predict(self, projections: dict[str, Tensor]) -> dict[str, Tensor]:
        """Applies the predictor to the student's projection maps of every kind; sizes stay."""
        return {kind: self.predictor(maps) for kind, maps in projections.items()}

    def loss(
        self,
        student_features: dict[str, Tensor],
        student_predictions: dict[str, Tensor],
        teacher_projections: Tensor,
        pair_groups: dict[str, PairGroup],
        turns: dict[str, Tensor],
        feature_stride: int,
    ) -> dict[str, Tensor]:
        """Computes the weighted losses of a batch and values to monitor.

        Args:
            student_features: Backbone maps of the student by kind of view, view-major, shape (V * B, C, H, W).
            student_predictions: Predictor maps of the student by kind, same layout.
            teacher_projections: Projector maps of the teacher's global views, shape (G * B, D, H, W).
            pair_groups: `ViewBatch.pairs()`.
            turns: `ViewBatch.turns_by_kind()`.
            feature_stride: Pixels of a view per cell of the maps.

        Returns:
            Of the enabled parts: `loss_crop`, `loss_correspondence`, `loss_rotation`, `loss_decorrelation` (weighted;
            their sum is the total loss), `match_cosine` (unweighted, also while the gate is closed) and
            `rotation_accuracy`.
        """
        losses = {}
        with torch.autocast(teacher_projections.device.type, enabled=False):
            teacher = at_least_float32(teacher_projections.detach())
            predictions = {kind: at_least_float32(maps) for kind, maps in student_predictions.items()}
            if self.crop_loss is not None:
                losses['loss_crop'] = _mean_over_pairs(
                    self.crop_losses(kind, predictions[kind], teacher, group, feature_stride)
                    for kind, group in pair_groups.items()
                )
            if self.correspondence_loss is not None:
                losses.update(self._weighted_correspondence(predictions, teacher, pair_groups))
            if self.decorrelation_loss is not None:
                tokens = at_least_float32(student_features['global']).transpose(0, 1).flatten(1).T
                losses['loss_decorrelation'] = self.decorrelation_weight * self.decorrelation_loss(tokens)
        if self.rotation_head is not None:
            losses.update(self._weighted_rotation(student_features, turns))
        return losses

    def _weighted_correspondence(
        self, predictions: dict[str, Tensor], teacher: Tensor, pair_groups: dict[str, PairGroup]
    ) -> dict[str, Tensor]:
        with torch.set_grad_enabled(self.gate_open and torch.is_grad_enabled()):
            correspondence = _mean_over_pairs(
                self.correspondence_losses(predictions[kind], teacher, group) for kind, group in pair_groups.items()
            )
        return dict(
            loss_correspondence=correspondence * (self.correspondence_weight if self.gate_open else 0.0),
            match_cosine=-correspondence.detach(),
        )

    def _weighted_rotation(self, features: dict[str, Tensor], turns: dict[str, Tensor]) -> dict[str, Tensor]:
        assert self.rotation_head is not None
        rotation, correct = self.rotation_head.loss(
            list(features.values()), torch.cat([turns[kind] for kind in features])
        )
        return dict(loss_rotation=self.rotation_weight * rotation.mean(), rotation_accuracy=correct.float().mean())

    def crop_losses(
        self, kind: str, student_maps: Tensor, teacher_maps: Tensor, group: PairGroup, feature_stride: int
    ) -> Tensor:
        """Computes the crop loss of every pair of one kind, shape (Q * B * V,)."""
        assert self.crop_loss is not None
        by_student = group.student_index.flatten().argsort(stable=True)  # boxes are pooled map by map
        if self.crop_targets in ('invariant', f'{kind}_invariant'):
            student = student_maps.mean(dim=(2, 3), keepdim=True)[group.student_index.flatten()[by_student]]
            teacher = teacher_maps.mean(dim=(2, 3), keepdim=True)[group.teacher_index.flatten()]
        else:
            size = self.pooled_sizes.get(kind) or _default_pooled_size(kind, student_maps.shape[-1])
            boxes_view = group.student_boxes_view.flatten(0, 2)[by_student].unflatten(0, (len(student_maps), -1))
            student = pool_boxes_of_maps(student_maps, boxes_view / feature_stride, size).flatten(0, 1)
            teacher = pool_boxes_of_maps(
                teacher_maps, group.teacher_boxes_view.flatten(0, 1) / feature_stride, size
            ).flatten(0, 1)
        turns = group.relative_turns.flatten()[by_student] if self.rotation_targets == 'turned' else None
        return self.crop_loss(student, teacher[by_student], turns).index_select(0, by_student.argsort())

    def correspondence_losses(self, student_maps: Tensor, teacher_maps: Tensor, group: PairGroup) -> Tensor:
        """Computes the correspondence loss of every pair of one kind, shape (Q * B * V,)."""
        assert self.correspondence_loss is not None
        num_q, batch_size, num_views = group.student_index.shape
        teacher = teacher_maps.flatten(2).transpose(1, 2).unflatten(0, (num_q, batch_size))
        student = student_maps.flatten(2).transpose(1, 2)
        if num_views * batch_size == len(student_maps):  # every q is paired with the same views: no copies
            student = student.unflatten(0, (num_views, batch_size)).transpose(0, 1).unsqueeze(0)
        else:
            student = student.index_select(0, group.student_index.flatten()).unflatten(0, group.student_index.shape)
        return self.correspondence_loss(student, teacher).flatten()


def _build_or_none(key: str, config: dict[str, Any] | None) -> Any:  # noqa: ANN401, a module of any class
    if not (config is None or isinstance(config, dict)):
        raise UserError(
            f'model.head.{key} must be a config, or None to leave the part out, got {config!r}: write '
            f'model.head.{key}=None'
        )
    return None if config is None else MODELS.build(config)


def _check_choice(key: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        raise UserError(f'model.head.{key} must be {" or ".join(map(repr, allowed))}, got {value!r}')


def _sizes_by_kind(pooled_sizes: Sequence[int] | None) -> dict[str, int]:
    if pooled_sizes is None:
        return {}
    if len(pooled_sizes) != 2 or not all(isinstance(size, int) and size > 0 for size in pooled_sizes):
        raise UserError(
            'model.head.pooled_sizes must be None or two positive integers, the cells for global and for '
            f'local views, got {pooled_sizes!r}'
        )
    return dict(zip(('global', 'local'), pooled_sizes, strict=True))


def _default_pooled_size(kind: str, map_side: int) -> int:
    return max(1, round(map_side * (5 / 7 if kind == 'global' else 2 / 3)))


def _mean_over_pairs(losses: Iterable[Tensor]) -> Tensor:
    """Averages over pairs and images; every pair has the same number of images."""
    return torch.cat(list(losses)).mean()
