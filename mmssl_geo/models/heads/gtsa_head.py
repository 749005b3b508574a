"""Head of GTSA: predicts, pairs the views' maps and weighs the three losses."""
import torch
from mmengine.model import BaseModule

from mmssl_geo.geometry import pool_boxes_of_maps
from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError


@MODELS.register_module()
class GTSAHead(BaseModule):
    """Crop loss, patch correspondence and rotation prediction over all pairs of views (GTSA).

    The defaults are the method; each part can be left out or made invariant by one key (`docs/gtsa.md`, Ablations).
    The forms of the invariant parts are our choice.

    Args:
        predictor: config of the student's predictor.
        rotation_head: config of the rotation head. None: turns are not predicted.
        crop_loss: config of the loss on pooled patches. None: no crop loss; the predictor then needs an ungated
            correspondence loss.
        correspondence_loss: config of the loss on matching tokens. None: it is not computed.
        correspondence_weight: its weight once the warm-up is over; 0 until then (`set_gate`).
        rotation_weight: weight of the rotation loss.
        pooled_sizes: cells of a side of the pooled patches where the student's view is global, and where it is
            local, e.g. `(10, 4)`. None derives them from the maps: 5/7 of a global map's side and 2/3 of a local
            one's, which gives 10 and 4 for 224 and 96 px at patch 16, and 20 and 8 at patch 8 (our choice).
        rotation_targets: 'turned': the teacher's patch is turned as the student's view is. 'invariant': the loss is
            averaged over the four turns of the teacher's patch, so no turn of a view changes the target.
        crop_targets: 'pooled': patches of the part that both views show. 'invariant': the mean of either whole map,
            so the target is the same wherever the student's view lies; turns then play no part. 'local_invariant',
            'global_invariant': that where the student's view is of this kind, 'pooled' where it is of the other.
        gate_correspondence: whether the correspondence loss waits for the end of the warm-up.
        decorrelation_loss: config of a loss on the student backbone's patch tokens of global views, for small data
            (our choice; not part of the method). None: there is none.
        decorrelation_weight: its weight.

    Raises:
        UserError: if a switch has an unknown value, a part is no config, or the predictor is left without a loss.
    """

    def __init__(self, predictor, rotation_head, crop_loss, correspondence_loss, correspondence_weight=0.5,
                 rotation_weight=0.5, pooled_sizes=None, rotation_targets='turned', crop_targets='pooled',
                 gate_correspondence=True, decorrelation_loss=None, decorrelation_weight=1., init_cfg=None):
        super().__init__(init_cfg)
        _check('rotation_targets', rotation_targets, ('turned', 'invariant'))
        _check('crop_targets', crop_targets, ('pooled', 'invariant', 'local_invariant', 'global_invariant'))
        _check('gate_correspondence', gate_correspondence, (True, False))
        if crop_loss is None and (correspondence_loss is None or gate_correspondence):
            raise UserError('model.head.crop_loss=None leaves the predictor without a loss in the first epochs: keep '
                            'model.head.correspondence_loss and set model.head.gate_correspondence=False')
        self.predictor = MODELS.build(predictor)
        self.rotation_head = _build_or_none('rotation_head', rotation_head)
        self.crop_loss = _build_or_none('crop_loss', crop_loss)
        self.correspondence_loss = _build_or_none('correspondence_loss', correspondence_loss)
        self.decorrelation_loss = _build_or_none('decorrelation_loss', decorrelation_loss)
        self.decorrelation_weight = decorrelation_weight
        self.correspondence_weight = correspondence_weight
        self.rotation_weight = rotation_weight
        self.pooled_sizes = _sizes_by_kind(pooled_sizes)
        self.rotation_targets = rotation_targets
        self.crop_targets = crop_targets
        self.gate_correspondence = gate_correspondence
        self.gate_open = True

    def set_gate(self, is_open):
        """Opens or shuts the patch-correspondence loss (shut while the learning rate warms up)."""
        self.gate_open = is_open or not self.gate_correspondence

    def predict(self, projections):
        """Student projections by kind -> predictions by kind, maps of the same sizes."""
        return {kind: self.predictor(maps) for kind, maps in projections.items()}

    def loss(self, student_features, student_predictions, teacher_projections, pair_groups, turns, patch_size):
        """The weighted losses of a batch and what is worth watching.

        Args:
            student_features: backbone maps of the student by kind of view, `(V * B, C, H, W)` view-major.
            student_predictions: predictor maps of the student by kind, same layout.
            teacher_projections: projector maps of the teacher's global views `(G * B, D, H, W)`.
            pair_groups: `ViewBatch.pairs()`.
            turns: `ViewBatch.turns_by_kind()`.
            patch_size: side of a token in view pixels.

        Returns:
            dict: of the parts that are on, `loss_crop`, `loss_correspondence`, `loss_rotation`, `loss_decorrelation`
            (weighted; their sum is the total loss), `match_cosine` (unweighted, also while the gate is shut) and
            `rotation_accuracy`.
        """
        losses = {}
        with torch.autocast(teacher_projections.device.type, enabled=False):
            teacher = _at_least_float32(teacher_projections.detach())
            predictions = {kind: _at_least_float32(maps) for kind, maps in student_predictions.items()}
            if self.crop_loss is not None:
                losses['loss_crop'] = _mean_over_pairs(
                    self.crop_losses(kind, predictions[kind], teacher, group, patch_size)
                    for kind, group in pair_groups.items())
            if self.correspondence_loss is not None:
                losses.update(self._weighted_correspondence(predictions, teacher, pair_groups))
            if self.decorrelation_loss is not None:
                tokens = _at_least_float32(student_features['global']).transpose(0, 1).flatten(1).T
                losses['loss_decorrelation'] = self.decorrelation_weight * self.decorrelation_loss(tokens)
        if self.rotation_head is not None:
            losses.update(self._weighted_rotation(student_features, turns))
        return losses

    def _weighted_correspondence(self, predictions, teacher, pair_groups):
        with torch.set_grad_enabled(self.gate_open and torch.is_grad_enabled()):
            correspondence = _mean_over_pairs(
                self.correspondence_losses(predictions[kind], teacher, group) for kind, group in pair_groups.items())
        return dict(
            loss_correspondence=correspondence * (self.correspondence_weight if self.gate_open else 0.),
            match_cosine=-correspondence.detach())

    def _weighted_rotation(self, features, turns):
        rotation, right = self.rotation_head.loss(
            list(features.values()), torch.cat([turns[kind] for kind in features]))
        return dict(loss_rotation=self.rotation_weight * rotation.mean(), rotation_accuracy=right.float().mean())

    def crop_losses(self, kind, student_maps, teacher_maps, group, patch_size):
        """Crop loss of every pair of one kind, `(Q * B * V,)`."""
        by_student = group.student_index.flatten().argsort(stable=True)  # boxes are pooled map by map
        if self.crop_targets in ('invariant', f'{kind}_invariant'):
            student = student_maps.mean(dim=(2, 3), keepdim=True)[group.student_index.flatten()[by_student]]
            teacher = teacher_maps.mean(dim=(2, 3), keepdim=True)[group.teacher_index.flatten()]
        else:
            size = self.pooled_sizes.get(kind) or _default_pooled_size(kind, student_maps.shape[-1])
            boxes_view = group.student_boxes_view.flatten(0, 2)[by_student].unflatten(0, (len(student_maps), -1))
            student = pool_boxes_of_maps(student_maps, boxes_view / patch_size, size).flatten(0, 1)
            teacher = pool_boxes_of_maps(
                teacher_maps, group.teacher_boxes_view.flatten(0, 1) / patch_size, size).flatten(0, 1)
        turns = group.relative_turns.flatten()[by_student] if self.rotation_targets == 'turned' else None
        return self.crop_loss(student, teacher[by_student], turns).index_select(0, by_student.argsort())

    def correspondence_losses(self, student_maps, teacher_maps, group):
        """Correspondence loss of every pair of one kind, `(Q * B * V,)`."""
        num_q, batch_size, num_views = group.student_index.shape
        teacher = teacher_maps.flatten(2).transpose(1, 2).unflatten(0, (num_q, batch_size))
        student = student_maps.flatten(2).transpose(1, 2)
        if num_views * batch_size == len(student_maps):  # every q meets the same views: no copies
            student = student.unflatten(0, (num_views, batch_size)).transpose(0, 1).unsqueeze(0)
        else:
            student = student.index_select(0, group.student_index.flatten()).unflatten(0, group.student_index.shape)
        return self.correspondence_loss(student, teacher).flatten()


def _build_or_none(key, config):
    if not (config is None or isinstance(config, dict)):
        raise UserError(f'model.head.{key} must be a config, or None to leave the part out, got {config!r}: write '
                        f'model.head.{key}=None')
    return None if config is None else MODELS.build(config)


def _check(key, value, allowed):
    if value not in allowed:
        raise UserError(f'model.head.{key} must be {" or ".join(map(repr, allowed))}, got {value!r}')


def _sizes_by_kind(pooled_sizes):
    if pooled_sizes is None:
        return {}
    if len(pooled_sizes) != 2 or not all(isinstance(size, int) and size > 0 for size in pooled_sizes):
        raise UserError('model.head.pooled_sizes must be None or two whole numbers of cells, for global and for local '
                        f'views, got {pooled_sizes!r}')
    return dict(zip(('global', 'local'), pooled_sizes, strict=True))


def _default_pooled_size(kind, map_side):
    return max(1, round(map_side * (5 / 7 if kind == 'global' else 2 / 3)))


def _at_least_float32(maps):
    return maps.float() if maps.dtype in (torch.float16, torch.bfloat16) else maps


def _mean_over_pairs(losses):
    """Mean over pairs and images; every pair has the same number of images."""
    return torch.cat(list(losses)).mean()
