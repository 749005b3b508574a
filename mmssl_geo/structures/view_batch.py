"""A batch of multi-crop views on the device, and the pairs of views that the losses compare."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mmssl_geo.geometry import pair_boxes
from mmssl_geo.utils.errors import UserError

from .view_record import StackedRecords


@dataclass(frozen=True)
class PairGroup:
    """All pairs (global view q, other view v of one kind) of a batch; every field has the shape (Q, B, V, ...).

    Q is the number of global views, B of images, V of views that each q is paired with: Q - 1 where v is global, L
    where it is local.

    Args:
        teacher_index: Index of q's map among the view-major global maps.
        student_index: Index of v's map among the view-major maps of its kind.
        teacher_boxes_view: Common part of both views in pixels of q, shape (Q, B, V, 4), xyxy.
        student_boxes_view: Common part of both views in pixels of v, shape (Q, B, V, 4), xyxy.
        relative_turns: Counter-clockwise quarter turns from q's orientation to v's.
    """

    teacher_index: Tensor
    student_index: Tensor
    teacher_boxes_view: Tensor
    student_boxes_view: Tensor
    relative_turns: Tensor


@dataclass(frozen=True, kw_only=True)
class ViewBatch(StackedRecords):
    """Views of B images, view-major, and their records, shape (B, G + L, ...) with the global views first.

    `flipped` stays on the CPU, where `pairs` reads it without waiting for the device.

    Args:
        global_images: Normalised global views, shape (G * B, 3, S, S).
        local_images: Normalised local views, shape (L * B, 3, s, s); L may be 0.
        num_global: Number G of global views per image.
    """

    global_images: Tensor
    local_images: Tensor
    num_global: int

    @property
    def batch_size(self) -> int:
        return self.turns.shape[0]

    @property
    def num_local(self) -> int:
        return self.turns.shape[1] - self.num_global

    @property
    def any_flipped(self) -> bool:
        """Whether any view is flipped left to right."""
        return bool(self.flipped.any())

    @property
    def monitor_images(self) -> Tensor:
        """Images that `CollapseMonitorHook` extracts the teacher's features from: the global views."""
        return self.global_images

    def images(self) -> dict[str, Tensor]:
        """Returns the images by kind, `{'global': ..., 'local': ...}`, without kinds that have no views."""
        return {'global': self.global_images, **({'local': self.local_images} if self.num_local else {})}

    def turns_by_kind(self) -> dict[str, Tensor]:
        """Returns the view-major quarter turns by kind, shapes (G * B,) and (L * B,)."""
        turns = self.turns.t()
        by_kind = {'global': turns[: self.num_global].flatten(), 'local': turns[self.num_global :].flatten()}
        return {kind: by_kind[kind] for kind in self.images()}

    def pairs(self) -> dict[str, PairGroup]:
        """Returns the pairs by the kind of v, `{'global': ..., 'local': ...}`, without kinds that have no pairs.

        Raises:
            UserError: If a view is flipped: boxes and turns of pairs do not describe flips.
        """
        if self.any_flipped:
            raise UserError(
                'some views are flipped, but this method compares places of views, which only follow crops and quarter '
                'turns: drop the flips (train_dataloader.dataset.pipeline.flips=None)'
            )
        sizes = torch.cat(
            [  # created on the device: a copy from the host would wait for it
                self.crop_boxes_src.new_full((self.num_global, 2), self.global_images.shape[-1]),
                self.crop_boxes_src.new_full((self.num_local, 2), self.local_images.shape[-1]),
            ]
        )
        boxes = pair_boxes(self.crop_boxes_src, self.turns, sizes, self.num_global)
        # Views are square (the turns could not share a batch otherwise), so sizes before and after the turn agree.
        return self.pairs_from_boxes(boxes.teacher_boxes_view, boxes.student_boxes_view)

    def pairs_from_boxes(self, teacher_boxes_view: Tensor, student_boxes_view: Tensor) -> dict[str, PairGroup]:
        """Returns the pairs for given common parts.

        Args:
            teacher_boxes_view: Common parts in pixels of q, shape (B, G, V, 4), indexed [b, q, v].
            student_boxes_view: Common parts in pixels of v, same shape and index.
        """
        device, views = self.turns.device, torch.arange(self.turns.shape[1], device=self.turns.device)
        q = torch.arange(self.num_global, device=device)
        others = torch.stack([torch.cat([views[:i], views[i + 1 : self.num_global]]) for i in range(self.num_global)])
        partners = {'global': others, 'local': views[self.num_global :].expand(self.num_global, -1)}
        groups = {}
        for kind, v in partners.items():
            if v.shape[1]:
                first = 0 if kind == 'global' else self.num_global
                groups[kind] = self._group(q[:, None].expand_as(v), v, first, teacher_boxes_view, student_boxes_view)
        return groups

    def _group(
        self, q: Tensor, v: Tensor, first: int, teacher_boxes_view: Tensor, student_boxes_view: Tensor
    ) -> PairGroup:
        """Groups the view pairs `q, v`, both of shape (Q, V); `first` is the first view of v's kind."""
        image = torch.arange(self.batch_size, device=q.device)[None, :, None]
        q, v = q[:, None], v[:, None]
        return PairGroup(
            teacher_index=(q * self.batch_size + image).expand(-1, -1, v.shape[-1]),
            student_index=(v - first) * self.batch_size + image,
            teacher_boxes_view=teacher_boxes_view[image, q, v],
            student_boxes_view=student_boxes_view[image, q, v],
            relative_turns=(self.turns[image, v] - self.turns[image, q]) % 4,
        )
