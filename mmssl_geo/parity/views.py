"""Boxes and turns: stored crops through the config's own pipeline steps, collation and data preprocessor."""
from dataclasses import dataclass, replace

import numpy as np
import torch

from mmssl_geo.registry import FUNCTIONS, MODELS, TRANSFORMS
from mmssl_geo.structures import ViewBatch, ViewRecord
from mmssl_geo.utils.errors import UserError

from .quantity import Quantity, absolute_difference
from .reference import views_of

_TOLERANCE = 1e-3  # pixels
_DRAWS = 200
_BATCH = 4


@dataclass(frozen=True, kw_only=True)
class StoredViews(ViewBatch):
    """A batch of views whose common boxes are given, `(B, G, V, 4)` indexed `[b, q, v]`; their crops are not known."""
    teacher_boxes_view: torch.Tensor
    student_boxes_view: torch.Tensor

    def pairs(self):
        """See `ViewBatch.pairs`."""
        return self.pairs_from_boxes(self.teacher_boxes_view, self.student_boxes_view)


def stored_views(arrays, images=None):
    """`StoredViews` of one file's boxes and angles; losses of stored maps need no images."""
    images, turns = images or {}, _turns(arrays['angles']).t()
    return StoredViews(
        global_images=images.get('global'), local_images=images.get('local'), crop_boxes_src=None,
        turns=turns, flipped=torch.zeros_like(turns, dtype=torch.bool), num_global=arrays['teacher_boxes'].shape[1],
        teacher_boxes_view=arrays['teacher_boxes'], student_boxes_view=arrays['student_boxes'].transpose(1, 2))


def box_quantities(cfg, reference):
    """Compares both boxes of all pairs, and the pixels that `RandomQuarterTurns` really moves."""
    boxes = reference.boxes
    num_global = boxes['teacher_boxes'].shape[1]
    images = views_of(reference.tiny_model)
    sides = [images['global' if v < num_global else 'local'].shape[-1] for v in range(boxes['angles'].shape[1])]
    pipeline = _Pipeline(cfg)
    worst = torch.zeros(3, dtype=torch.float64)
    for crops, turns, teacher, student in zip(
            boxes['crop_boxes'].split(_BATCH), _turns(boxes['angles']).split(_BATCH),
            boxes['teacher_boxes'].split(_BATCH), boxes['student_boxes'].split(_BATCH), strict=True):
        views = pipeline(crops.tolist(), turns.tolist(), sides, num_global)
        worst = torch.maximum(worst, torch.tensor(_differences(pipeline, views, teacher, student)))
    for name, difference in zip(
            ('boxes in the teacher views', 'boxes in the student views', 'boxes taken back by the turned pixels'),
            worst.tolist(), strict=True):
        yield Quantity(name, difference, _TOLERANCE, 'px')


class _Pipeline:
    """From crop rectangles to a `ViewBatch` of pictures in which every pixel says where it was before its turn."""

    def __init__(self, cfg):
        steps = cfg.train_dataloader.dataset.pipeline
        self.turn, self.pack = TRANSFORMS.build(steps.turns), TRANSFORMS.build(steps.pack)
        self.collate = FUNCTIONS.get(cfg.train_dataloader.collate_fn.type)
        self.preprocess = MODELS.build(cfg.model.data_preprocessor)
        tiny = np.zeros((1, 1, 3), np.uint8), ViewRecord((0, 0, 1, 1), (1, 1), 0, True)
        self.epochs = {self._turned(tiny, epoch)[1].turn: epoch for epoch in range(_DRAWS)}
        if sorted(self.epochs) != [0, 1, 2, 3]:
            raise RuntimeError(f'{_DRAWS} draws of the transform gave the turns {sorted(self.epochs)} only')

    def _turned(self, view, epoch):
        return self.turn(dict(views=[view], seed=0, epoch=epoch, sample_idx=0))['views'][0]

    def __call__(self, crops, turns, sides, num_global):
        samples = [self._sample(*both, sides, num_global) for both in zip(crops, turns, strict=True)]
        return self.preprocess(self.collate(samples))['views']

    def _sample(self, crops, turns, sides, num_global):
        views = [
            self._turned((_coordinates(side), ViewRecord(tuple(crop), (side, side), 0, number < num_global)),
                         self.epochs[turn])
            for number, (crop, turn, side) in enumerate(zip(crops, turns, sides, strict=True))]
        return self.pack(dict(views=views, img_path='', sample_idx=0))

    def first_pixels(self, images):
        """Grey levels, as they were loaded, of the first 2 x 2 pixels of normalised images."""
        return (images[..., :2, :2] * self.preprocess.std + self.preprocess.mean).round().double()


def _coordinates(side):
    """A picture whose red is the row and whose green is the column of each pixel."""
    if side > 256:
        raise UserError(f'views of {side} px: positions can be followed in views of up to 256 px')
    rows, columns = np.mgrid[:side, :side].astype(np.uint8)
    return np.stack([rows, columns, columns], axis=-1)


def _differences(pipeline, views, teacher, student):
    """Largest differences in pixels: of the boxes in the views q, of those in the views v, and of both before turns."""
    unturned = replace(views, turns=torch.zeros_like(views.turns)).pairs()
    pixels = {kind: pipeline.first_pixels(images) for kind, images in views.images().items()}
    worst = [[], [], []]
    for kind, group in views.pairs().items():
        q, image = group.teacher_index // views.batch_size, group.teacher_index % views.batch_size
        v = group.student_index // views.batch_size + (0 if kind == 'global' else views.num_global)
        theirs_q, theirs_v = teacher[image, q, v], student[image, v, q]
        worst[0].append(absolute_difference(group.teacher_boxes_view, theirs_q))
        worst[1].append(absolute_difference(group.student_boxes_view, theirs_v))
        worst[2] += [
            absolute_difference(unturned[kind].teacher_boxes_view, _before_turn(theirs_q, pixels['global'][
                group.teacher_index])),
            absolute_difference(unturned[kind].student_boxes_view, _before_turn(theirs_v, pixels[kind][
                group.student_index]))]
    return [max(values) for values in worst]


def _before_turn(boxes, pixels):
    """Takes boxes `(..., 4)` back to the frame that the first pixels `(..., 3, 2, 2)` tell of."""
    origin, right, below = pixels[..., :2, 0, 0], pixels[..., :2, 0, 1], pixels[..., :2, 1, 0]
    corners = boxes.unflatten(-1, (2, 2)) - 0.5  # pixel (0, 0) has its centre at 0.5
    y, x = (origin[..., None, axis] + 0.5 + corners[..., 0] * (right - origin)[..., None, axis]
            + corners[..., 1] * (below - origin)[..., None, axis] for axis in (0, 1))
    return torch.cat([x.amin(-1, True), y.amin(-1, True), x.amax(-1, True), y.amax(-1, True)], dim=-1)


def _turns(angles):
    """Counter-clockwise quarter turns of angles in degrees."""
    return (angles / 90).round().long() % 4
