"""A batch of views that show the same regions, on the device."""
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class RegionBatch:
    """Views of B images by name, each with boxes of the same K regions.

    `x1` and `x2` are the teacher's, `x1_cut`, `x2_small` and `x3` (which need not be there) the student's.

    Args:
        images: name -> `(B, 3, S, S)` normalised; S may differ between views.
        regions: name -> `(B, K, 4)` boxes in pixels of the view; region k is the same object in every view.
        mixed: whether the background of x3 is another image of the batch; None without x3.
        fallback_share: share of images that had no usable region and got grid boxes, a scalar tensor.
        cut_shares: name -> mean share of a region that is cut out, a scalar tensor, of views that have holes.
    """
    images: dict
    regions: dict
    mixed: bool | None
    fallback_share: torch.Tensor
    cut_shares: dict

    @property
    def batch_size(self):
        return len(self.images['x2'])

    @property
    def global_images(self):
        """The clean x2 views, which say how the teacher sees images."""
        return self.images['x2']

    def boxes_view(self, name):
        """Boxes of a view `(B * K, 4)`, in its pixels, and the index of the image that each belongs to."""
        batch_size, num_regions = self.regions[name].shape[:2]
        image = torch.arange(batch_size, device=self.regions[name].device).repeat_interleave(num_regions)
        return self.regions[name].flatten(0, 1), image

    def gauges(self):
        """What the log should say of the batch, name -> scalar tensor."""
        shares = {f'cut_share_{name}': share for name, share in self.cut_shares.items()}
        if self.mixed is not None:
            shares['mixed_share'] = torch.full_like(self.fallback_share, float(self.mixed))
        return {**shares, 'fallback_share': self.fallback_share}
