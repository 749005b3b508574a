"""The record of one view, written where the view is made, and the records of many views as tensors."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from mmssl_geo.geometry import rescale_boxes, rotate_boxes, turned_size


@dataclass(frozen=True)
class ViewRecord:
    """How a view was cut out of its source image.

    Args:
        crop_box_src: Crop (x1, y1, x2, y2) in source pixels.
        size: Height and width to which the crop was resized, before the turn.
        turn: Number of counter-clockwise quarter turns after the resize and the flip, 0 to 3.
        is_global: Whether the view counts as global.
        flipped: Whether the resized crop was flipped left to right, before the turn.
    """

    crop_box_src: tuple[float, float, float, float]
    size: tuple[int, int]
    turn: int
    is_global: bool
    flipped: bool = False

    @property
    def view_size(self) -> tuple[int, int]:
        """Height and width of the view as the network sees it."""
        return turned_size(self.size, self.turn)

    def boxes_to_view(self, boxes_src: Tensor) -> Tensor:
        """Maps boxes from the source image to the view.

        Args:
            boxes_src: Boxes in source pixels, shape (..., 4), xyxy.

        Returns:
            Boxes in pixels of the view, not clipped to it, shape (..., 4).
        """
        crop_box_src = torch.tensor(self.crop_box_src, dtype=boxes_src.dtype)
        boxes = rescale_boxes(boxes_src, crop_box_src, torch.tensor(self.size, dtype=boxes_src.dtype))
        if self.flipped:
            x1, y1, x2, y2 = boxes.unbind(-1)
            boxes = torch.stack([self.size[1] - x2, y1, self.size[1] - x1, y2], dim=-1)
        return rotate_boxes(boxes, self.turn, self.size)


@dataclass(frozen=True, kw_only=True)
class StackedRecords:
    """What the loss needs of the records of V views, global views first.

    This class alone lists these fields: `PackViews` adds them to a sample, the data preprocessor takes them from the
    collated batch, and `ViewBatch` inherits them. In a batch, each has one more dimension in front.

    Args:
        crop_boxes_src: Crops in source pixels, float32, shape (V, 4), xyxy.
        turns: Counter-clockwise quarter turns, int64, shape (V,).
        flipped: Whether the view is flipped left to right, bool, shape (V,).
    """

    crop_boxes_src: Tensor
    turns: Tensor
    flipped: Tensor


RECORD_FIELDS = tuple(field.name for field in fields(StackedRecords))


def stack_records(records: Sequence[ViewRecord]) -> dict[str, Tensor]:
    """Stacks the records of an image's views into tensors, named by `RECORD_FIELDS`."""
    stacked = StackedRecords(
        crop_boxes_src=torch.tensor([record.crop_box_src for record in records], dtype=torch.float32),
        turns=torch.tensor([record.turn for record in records]),
        flipped=torch.tensor([record.flipped for record in records]),
    )
    return {name: getattr(stacked, name) for name in RECORD_FIELDS}
