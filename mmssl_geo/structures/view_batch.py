"""A batch of multi-crop views on the device, and the pairs that the losses compare."""
from dataclasses import dataclass

import torch

from mmssl_geo.geometry import pair_boxes
from mmssl_geo.utils.errors import UserError


@dataclass(frozen=True)
class PairGroup:
    """All pairs (global view q, view v of one kind, v != q) of a batch; every field is `(Q, B, V, ...)`.

    `Q` counts the global views, `B` the images, `V` the views that each q is paired with: `Q - 1` where v is
    global, `L` where it is local.

    Args:
        teacher_index: index of q's map among the view-major global maps.
        student_index: index of v's map among the view-major maps of its kind.
        teacher_boxes_view: `(Q, B, V, 4)` common part in the pixels of q.
        student_boxes_view: `(Q, B, V, 4)` common part in the pixels of v.
        relative_turns: quarter turns that bring q's orientation to v's.
    """
    teacher_index: torch.Tensor
    student_index: torch.Tensor
    teacher_boxes_view: torch.Tensor
    student_boxes_view: torch.Tensor
    relative_turns: torch.Tensor


@dataclass(frozen=True)
class ViewBatch:
    """Views of B images, view-major.

    Args:
        global_images: `(G * B, 3, S, S)` normalised.
        local_images: `(L * B, 3, s, s)` normalised; L may be 0.
        crop_boxes_src: `(B, G + L, 4)` crop rectangles in source pixels, global views first.
        turns: `(B, G + L)` integer quarter turns.
        num_global: G.
        any_flipped: whether any view is flipped left to right.
    """
    global_images: torch.Tensor
    local_images: torch.Tensor
    crop_boxes_src: torch.Tensor
    turns: torch.Tensor
    num_global: int
    any_flipped: bool = False

    @property
    def batch_size(self):
        return self.turns.shape[0]

    @property
    def num_local(self):
        return self.turns.shape[1] - self.num_global

    def images(self):
        """Images by kind, `{'global': ..., 'local': ...}`; kinds without views are left out."""
        return {'global': self.global_images, **({'local': self.local_images} if self.num_local else {})}

    def turns_by_kind(self):
        """View-major quarter turns by kind, `(G * B,)` and `(L * B,)`."""
        turns = self.turns.t()
        by_kind = {'global': turns[:self.num_global].flatten(), 'local': turns[self.num_global:].flatten()}
        return {kind: by_kind[kind] for kind in self.images()}

    def pairs(self):
        """The pairs by the kind of v, `{'global': PairGroup, 'local': PairGroup}`; kinds without pairs are left out.

        Raises:
            UserError: if a view is flipped: boxes and turns of pairs do not tell of flips.
        """
        if self.any_flipped:
            raise UserError(
                'some views are flipped, but this method compares places of views, which only follow crops and quarter '
                'turns: drop the flips (train_dataloader.dataset.pipeline.flips=None)')
        sizes = torch.cat([  # made on the device: a copy from the host would wait for it
            self.crop_boxes_src.new_full((self.num_global, 2), self.global_images.shape[-1]),
            self.crop_boxes_src.new_full((self.num_local, 2), self.local_images.shape[-1])])
        boxes = pair_boxes(self.crop_boxes_src, self.turns, sizes, self.num_global)
        # Views are square (the turns could not share a batch otherwise), so sizes before and after the turn agree.
        return self.pairs_from_boxes(boxes.teacher_boxes_view, boxes.student_boxes_view)

    def pairs_from_boxes(self, teacher_boxes_view, student_boxes_view):
        """The same from given boxes, both `(B, G, V, 4)` indexed `[b, q, v]`."""
        device, views = self.turns.device, torch.arange(self.turns.shape[1], device=self.turns.device)
        q = torch.arange(self.num_global, device=device)
        others = torch.stack([torch.cat([views[:i], views[i + 1:self.num_global]]) for i in range(self.num_global)])
        partners = {'global': others, 'local': views[self.num_global:].expand(self.num_global, -1)}
        groups = {}
        for kind, v in partners.items():
            if v.shape[1]:
                first = 0 if kind == 'global' else self.num_global
                groups[kind] = self._group(q[:, None].expand_as(v), v, first, teacher_boxes_view, student_boxes_view)
        return groups

    def _group(self, q, v, first, teacher_boxes_view, student_boxes_view):
        """`PairGroup` of the view pairs `q, v`, both `(Q, V)`; `first` is the first view of v's kind."""
        image = torch.arange(self.batch_size, device=q.device)[None, :, None]
        q, v = q[:, None], v[:, None]
        return PairGroup(
            teacher_index=(q * self.batch_size + image).expand(-1, -1, v.shape[-1]),
            student_index=(v - first) * self.batch_size + image,
            teacher_boxes_view=teacher_boxes_view[image, q, v],
            student_boxes_view=student_boxes_view[image, q, v],
            relative_turns=(self.turns[image, v] - self.turns[image, q]) % 4)
