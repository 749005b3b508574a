"""Boxes and turns: stored crops through the config's pipeline steps, collation and data preprocessor."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from mmssl_geo.registry import FUNCTIONS, MODELS, TRANSFORMS
from mmssl_geo.structures import PairGroup, ViewBatch, ViewRecord
from mmssl_geo.utils.errors import UserError

from .quantity import Quantity, absolute_difference
from .reference import Arrays, Reference, stack_views

_TOLERANCE = 1e-3  # pixels
_NUM_DRAWS = 200
_BATCH_SIZE = 4


@dataclass(frozen=True, kw_only=True)
class StoredViews(ViewBatch):
    """A batch of views with given common boxes instead of crops.

    Args:
        stored_teacher_boxes: Common boxes in pixels of q, shape (B, G, V, 4), indexed [b, q, v].
        stored_student_boxes: Common boxes in pixels of v, same shape and index.
    """

    stored_teacher_boxes: Tensor
    stored_student_boxes: Tensor

    def pairs(self) -> dict[str, PairGroup]:
        """See `ViewBatch.pairs`."""
        return self.pairs_from_boxes(self.stored_teacher_boxes, self.stored_student_boxes)


def stored_views(arrays: Arrays, images: Mapping[str, Tensor] | None = None) -> StoredViews:
    """Returns the views with the boxes and angles of a file; losses of stored maps need no images."""
    images, turns = images or {}, _turns_of_angles(arrays['angles']).t()
    nothing = torch.empty(0)
    return StoredViews(
        global_images=images.get('global', nothing),
        local_images=images.get('local', nothing),
        crop_boxes_src=nothing,
        turns=turns,
        flipped=torch.zeros_like(turns, dtype=torch.bool),
        num_global=arrays['teacher_boxes'].shape[1],
        stored_teacher_boxes=arrays['teacher_boxes'],
        stored_student_boxes=arrays['student_boxes'].transpose(1, 2),
    )


def box_quantities(cfg: Config, reference: Reference) -> Iterator[Quantity]:
    """Compares both boxes of all pairs, and the pixels that `RandomQuarterTurns` moves."""
    boxes = reference.boxes
    num_global = boxes['teacher_boxes'].shape[1]
    images = stack_views(reference.tiny_model)
    sides = [images['global' if v < num_global else 'local'].shape[-1] for v in range(boxes['angles'].shape[1])]
    pipeline = _Pipeline(cfg)
    largest = torch.zeros(3, dtype=torch.float64)
    for crops, turns, teacher, student in zip(
        boxes['crop_boxes'].split(_BATCH_SIZE),
        _turns_of_angles(boxes['angles']).split(_BATCH_SIZE),
        boxes['teacher_boxes'].split(_BATCH_SIZE),
        boxes['student_boxes'].split(_BATCH_SIZE),
        strict=True,
    ):
        views = pipeline(crops.tolist(), turns.tolist(), sides, num_global)
        largest = torch.maximum(largest, torch.tensor(_differences(pipeline, views, teacher, student)))
    names = ('boxes in the teacher views', 'boxes in the student views', 'boxes mapped back by the rotated pixels')
    for name, difference in zip(names, largest.tolist(), strict=True):
        yield Quantity(name, difference, _TOLERANCE, 'px')


class _Pipeline:
    """Turns crops into a `ViewBatch` of images whose pixels hold their own coordinates before the turn."""

    def __init__(self, cfg: Config) -> None:
        steps = cfg.train_dataloader.dataset.pipeline
        self.turn = TRANSFORMS.build(steps.turns)
        self.pack = TRANSFORMS.build(steps.pack)
        self.collate = FUNCTIONS.get(cfg.train_dataloader.collate_fn.type)
        self.preprocess = MODELS.build(cfg.model.data_preprocessor)
        view = np.zeros((1, 1, 3), np.uint8), ViewRecord((0, 0, 1, 1), (1, 1), 0, True)
        self.epoch_of_turn = {self._apply_turn(view, epoch)[1].turn: epoch for epoch in range(_NUM_DRAWS)}
        if sorted(self.epoch_of_turn) != [0, 1, 2, 3]:
            raise RuntimeError(f'{_NUM_DRAWS} draws of the transform gave only the turns {sorted(self.epoch_of_turn)}')

    def __call__(
        self,
        crops: Sequence[Sequence[Sequence[float]]],
        turns: Sequence[Sequence[int]],
        sides: Sequence[int],
        num_global: int,
    ) -> ViewBatch:
        samples = [self._sample(*sample, sides, num_global) for sample in zip(crops, turns, strict=True)]
        return self.preprocess(self.collate(samples))['views']

    def first_pixels(self, images: Tensor) -> Tensor:
        """Returns the grey levels before normalisation of the first 2 x 2 pixels of images, shape (..., 3, 2, 2)."""
        return (images[..., :2, :2] * self.preprocess.std + self.preprocess.mean).round().double()

    def _sample(
        self, crops: Sequence[Sequence[float]], turns: Sequence[int], sides: Sequence[int], num_global: int
    ) -> dict[str, Any]:
        views = []
        for index, (crop, turn, side) in enumerate(zip(crops, turns, sides, strict=True)):
            x1, y1, x2, y2 = crop
            record = ViewRecord((x1, y1, x2, y2), (side, side), 0, index < num_global)
            views.append(self._apply_turn((_coordinate_image(side), record), self.epoch_of_turn[turn]))
        return self.pack(dict(views=views, img_path='', sample_idx=0))

    def _apply_turn(self, view: tuple[np.ndarray, ViewRecord], epoch: int) -> tuple[np.ndarray, ViewRecord]:
        return self.turn(dict(views=[view], seed=0, epoch=epoch, sample_idx=0))['views'][0]


def _coordinate_image(side: int) -> np.ndarray:
    """Returns an image whose red channel is the row and whose green channel is the column of each pixel."""
    if side > 256:
        raise UserError(f'views of {side} px are too large: coordinates fit into uint8 up to 256 px')
    rows, columns = np.mgrid[:side, :side].astype(np.uint8)
    return np.stack([rows, columns, columns], axis=-1)


def _differences(pipeline: _Pipeline, views: ViewBatch, teacher: Tensor, student: Tensor) -> list[float]:
    """Returns the largest differences in pixels: of the boxes in the views q, in the views v, and of both before turns.

    Args:
        pipeline: The pipeline that made the views.
        views: The batch of views.
        teacher: Official boxes in pixels of q, shape (B, G, V, 4), indexed [b, q, v].
        student: Official boxes in pixels of v, shape (B, V, G, 4), indexed [b, v, q].
    """
    unturned = replace(views, turns=torch.zeros_like(views.turns)).pairs()
    pixels = {kind: pipeline.first_pixels(images) for kind, images in views.images().items()}
    teacher_views, student_views, before_turns = [], [], []
    for kind, group in views.pairs().items():
        q, image = group.teacher_index // views.batch_size, group.teacher_index % views.batch_size
        v = group.student_index // views.batch_size + (0 if kind == 'global' else views.num_global)
        official_q, official_v = teacher[image, q, v], student[image, v, q]
        teacher_views.append(absolute_difference(group.teacher_boxes_view, official_q))
        student_views.append(absolute_difference(group.student_boxes_view, official_v))
        before_q = _before_turn(official_q, pixels['global'][group.teacher_index])
        before_v = _before_turn(official_v, pixels[kind][group.student_index])
        before_turns += [
            absolute_difference(unturned[kind].teacher_boxes_view, before_q),
            absolute_difference(unturned[kind].student_boxes_view, before_v),
        ]
    return [max(teacher_views), max(student_views), max(before_turns)]


def _before_turn(boxes: Tensor, pixels: Tensor) -> Tensor:
    """Maps boxes back to the frame before the turn.

    Args:
        boxes: Boxes in pixels of the turned view, shape (..., 4), xyxy.
        pixels: First pixels of `_Pipeline.first_pixels`, which hold their coordinates, shape (..., 3, 2, 2).
    """
    origin, right, below = pixels[..., :2, 0, 0], pixels[..., :2, 0, 1], pixels[..., :2, 1, 0]
    corners = boxes.unflatten(-1, (2, 2)) - 0.5  # the centre of pixel (0, 0) is at 0.5
    y, x = (
        origin[..., None, axis]
        + 0.5
        + corners[..., 0] * (right - origin)[..., None, axis]
        + corners[..., 1] * (below - origin)[..., None, axis]
        for axis in (0, 1)
    )
    return torch.cat([x.amin(-1, True), y.amin(-1, True), x.amax(-1, True), y.amax(-1, True)], dim=-1)


def _turns_of_angles(angles: Tensor) -> Tensor:
    """Converts angles in degrees to counter-clockwise quarter turns."""
    return (angles / 90).round().long() % 4
