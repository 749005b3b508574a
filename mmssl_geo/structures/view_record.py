"""The record of one view, made where the view is made; nothing is recovered later."""
from dataclasses import dataclass

import torch

from mmssl_geo.geometry import rescale_boxes, rotate_boxes, turned_size


@dataclass(frozen=True)
class ViewRecord:
    """How a view was cut out of its source image.

    Args:
        crop_box_src: `(x1, y1, x2, y2)` of the crop in source pixels.
        size: `(height, width)` to which the crop was resized, before the turn.
        turn: counter-clockwise quarter turns made after the resize and the flip, 0 to 3.
        is_global: whether the view counts as global.
        flipped: whether the resized crop was flipped left to right, before the turn.
    """
    crop_box_src: tuple
    size: tuple
    turn: int
    is_global: bool
    flipped: bool = False

    @property
    def view_size(self):
        """`(height, width)` of the view as the net sees it."""
        return turned_size(self.size, self.turn)

    def boxes_to_view(self, boxes_src):
        """Boxes `(..., 4)` of the source image in the pixels of the view (not clipped to it)."""
        crop_box_src = torch.tensor(self.crop_box_src, dtype=boxes_src.dtype)
        boxes = rescale_boxes(boxes_src, crop_box_src, torch.tensor(self.size, dtype=boxes_src.dtype))
        if self.flipped:
            x1, y1, x2, y2 = boxes.unbind(-1)
            boxes = torch.stack([self.size[1] - x2, y1, self.size[1] - x1, y2], dim=-1)
        return rotate_boxes(boxes, self.turn, self.size)
