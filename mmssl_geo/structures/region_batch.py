"""A batch of views that show the same regions, on the device."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class RegionBatch:
    """Views of B images by name, each with boxes of the same K regions.

    The teacher sees `x1` and `x2`, the student `x1_cut`, `x2_small` and the optional `x3`.

    Args:
        images: Normalised views by name, shape (B, 3, S, S); S may differ between views.
        regions: Boxes by name of the view, in its pixels, shape (B, K, 4), xyxy; region k is the same object in every
            view.
        mixed: Whether the background of x3 is another image of the batch; None without x3.
        fallback_share: Share of the images that had no usable region and got grid boxes, scalar.
        cut_shares: Mean share of a region that is cut out, scalar, by name of the views that have holes.
    """

    images: dict[str, Tensor]
    regions: dict[str, Tensor]
    mixed: bool | None
    fallback_share: Tensor
    cut_shares: dict[str, Tensor]

    @property
    def batch_size(self) -> int:
        return len(self.images['x2'])

    @property
    def monitor_images(self) -> Tensor:
        """Images that `CollapseMonitorHook` extracts the teacher's features from: the clean x2 views."""
        return self.images['x2']

    def boxes_view(self, name: str) -> tuple[Tensor, Tensor]:
        """Returns the boxes of a view in its pixels, shape (B * K, 4), and the index of each box's image."""
        batch_size, num_regions = self.regions[name].shape[:2]
        image = torch.arange(batch_size, device=self.regions[name].device).repeat_interleave(num_regions)
        return self.regions[name].flatten(0, 1), image

    def statistics(self) -> dict[str, Tensor]:
        """Returns scalars that describe the batch, for the log."""
        shares = {f'cut_share_{name}': share for name, share in self.cut_shares.items()}
        if self.mixed is not None:
            shares['mixed_share'] = torch.full_like(self.fallback_share, float(self.mixed))
        return {**shares, 'fallback_share': self.fallback_share}
