"""De-coupling for vision transformers: a student's view some patches of which are another image's.

Source: the authors' later code (ICLR 2024) on iBOT. A share of the batch gets, for every view that the teacher sees, a
further student view whose marked patch embeddings are another image's; the teacher's output of the clean view is the
target, and only kept patches count.
"""
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torchvision.transforms import ColorJitter

from mmssl_geo.geometry import grid_boxes, pool_boxes, token_cutout
from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError


@dataclass(frozen=True)
class MixedViews:
    """R views, some patches of which are to be another image's.

    Args:
        index: `(R,)` which of the clean views each is; view-major as they are.
        images: `(R, 3, S, S)` normalised, what the student sees where patches are kept.
        others: `(R, 3, S, S)` normalised, where the other patches come from.
        marks: `(R, h, w)` bool, True where the patch is the other image's.
    """
    index: torch.Tensor
    images: torch.Tensor
    others: torch.Tensor
    marks: torch.Tensor

    @property
    def kept(self):
        """`(R, h, w)` bool, True where the patch is the image's own."""
        return ~self.marks


@MODELS.register_module()
class PatchMixing:
    """Draws the mixed views of a batch and weighs their loss.

    Marked are the holes of a region collaborative cutout (RCC) on the token grid, for every other view their
    complement. All draws come from one number of torch's CPU generator, which `StepSeedHook` seeds.

    Args:
        share: share of the batch's images that get mixed views, at least one image (official code: 0.25).
        weight: weight of the loss (official code: 0.3).
        cut_share: smallest and largest target share c of the cutout, uniform. The official code draws c = 0 half of
            the time too, but leaves such masks out of the mixing: they mark nothing.
        jitter: None, or brightness, contrast, saturation and hue of a colour jitter of the student's views on top of
            the draw that the teacher sees. The official code means to give the student a draw of its own, but an
            aliased list lets the teacher see the same one, so None. The form is our choice: photometrics may have been
            computed in the worker.

    Raises:
        UserError: if a setting is impossible.
    """

    def __init__(self, share=0.25, weight=0.3, cut_share=(0.2, 0.6), jitter=None):
        if not 0 < share <= 1:
            raise UserError(f'model.mixing.share must be above 0 and at most 1, got {share}; to mix nothing set '
                            'model.mixing=None')
        if weight < 0:
            raise UserError(f'model.mixing.weight must not be negative, got {weight}')
        if not 0 < cut_share[0] <= cut_share[1] <= 1:
            raise UserError('model.mixing.cut_share must be two numbers, 0 < smallest <= largest <= 1, '
                            f'got {tuple(cut_share)}')
        if jitter is not None and (len(jitter) != 4 or min(jitter) < 0 or jitter[3] > 0.5):
            raise UserError('model.mixing.jitter must be None or brightness, contrast, saturation and hue, none below '
                            f'0 and the hue at most 0.5, got {tuple(jitter)}')
        self.share = share
        self.weight = weight
        self.cut_share = tuple(cut_share)
        self.jitter = None if jitter is None else ColorJitter(*jitter)

    def draw(self, clean_images, num_views, patch_size, normalisation):
        """Draws the mixed views of a batch; the same images are chosen in each of the V views.

        Args:
            clean_images: `(V * B, 3, S, S)` normalised, view-major.
            num_views: V.
            patch_size: side of a token in view pixels.
            normalisation: has the `mean` and `std` `(1, 3, 1, 1)`, in grey levels, that the views are normalised by.

        Returns:
            `MixedViews` with R = V x the number of images chosen; None if B = 1: there is no other image.
        """
        batch_size = len(clean_images) // num_views
        if batch_size < 2:
            return None
        rng = np.random.default_rng(int(torch.randint(2**63 - 1, ())))
        chosen = rng.permutation(batch_size)[:max(1, round(self.share * batch_size))]
        partners = (chosen + rng.integers(1, batch_size, (num_views, len(chosen)))) % batch_size
        first_rows = np.arange(num_views)[:, None] * batch_size
        index, other_index = ((first_rows + rows).flatten() for rows in (chosen, partners))
        height, width = clean_images.shape[-2:]
        marks = draw_marks(len(index), (height // patch_size, width // patch_size), self.cut_share, rng)
        index, other_index, marks = (
            torch.from_numpy(array).to(clean_images.device, non_blocking=True) for array in (index, other_index, marks))
        images = clean_images[index]
        if self.jitter is not None:
            images = recolour(images, self.jitter, normalisation.mean, normalisation.std)
        return MixedViews(index, images, clean_images[other_index], marks)

    def losses(self, losses, cosines, weights, mixed):
        """The weighted loss of mixed views and what is worth watching.

        Args:
            losses: of every token or region, any shape.
            cosines: behind them, same shape.
            weights: how much each counts, same shape.
            mixed: the `MixedViews`.

        Returns:
            dict: `loss_mixing` (weighted), `cosine_mixing`, and `mixed_views`, their number.
        """
        weights = weights / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)
        return dict(
            loss_mixing=self.weight * (losses * weights).sum(),
            cosine_mixing=(cosines.detach() * weights).sum(),
            mixed_views=torch.full((), float(len(mixed.index)), device=losses.device))

    @staticmethod
    def no_losses(device):
        """What the log says of a batch without another image."""
        return dict(mixed_views=torch.zeros((), device=device))


def draw_marks(count, grid, cut_share, rng):
    """Marks of `count` views on a `(h, w)` token grid: RCC holes, and in every other view all but them.

    The boxes are one per cell of a 3 x 3 grid; the target share is uniform in `cut_share` (official code).

    Returns:
        `(count, h, w)` bool.
    """
    holes = np.stack([
        token_cutout(grid_boxes(rng, grid), rng.uniform(*cut_share), grid, rng).holes for _ in range(count)])
    complement = (np.arange(count) + rng.integers(2)) % 2 == 1
    return holes ^ complement[:, None, None]


def recolour(images, jitter, mean, std):
    """Normalised images `(N, 3, S, S)` after a colour jitter, each with its own draw."""
    pixels = ((images * std + mean) / 255).clamp(0, 1)
    return (torch.stack([jitter(image) for image in pixels]) * 255 - mean) / std


def token_weights(kept, dtype):
    """Weights of tokens `(R, h, w)`: every view counts the same, its kept tokens too, the others not at all."""
    kept = kept.to(dtype)
    return kept / kept.sum(dim=(1, 2), keepdim=True).clamp(min=1)


def token_cosines(predictions, targets):
    """Cosine of every token `(R, h, w)` of two maps `(R, D, h, w)`, in float32 at least."""
    with torch.autocast(predictions.device.type, enabled=False):
        dtype = torch.promote_types(predictions.dtype, torch.float32)
        return F.cosine_similarity(predictions.to(dtype), targets.to(dtype), dim=1)


def pool_kept(maps, kept, boxes_feat, map_index, size):
    """Mean of the kept tokens in every box, each by its part in the RoIAlign (our choice).

    A box without a kept token gets the mean of all kept tokens of its map and the share 0, so that each process passes
    on the same number of vectors (a BatchNorm over processes waits for all).

    Args:
        maps: `(R, C, h, w)`.
        kept: `(R, h, w)` bool.
        boxes_feat: `(M, 4)` boxes in feature cells.
        map_index: `(M,)` the map that each belongs to.
        size: cells of the pooled patches.

    Returns:
        Vectors `(M, C)` and the share of each box that is kept `(M,)`.
    """
    maps = maps.to(torch.promote_types(maps.dtype, torch.float32))
    kept = kept.unsqueeze(1).to(maps.dtype)
    pooled = pool_boxes(torch.cat([maps * kept, kept], dim=1), boxes_feat, map_index, size).mean(dim=(2, 3))
    sums, shares = pooled[:, :-1], pooled[:, -1:]
    means = (maps * kept).sum(dim=(2, 3)) / kept.sum(dim=(2, 3)).clamp(min=1)
    vectors = torch.where(shares > 0, sums / shares.clamp(min=torch.finfo(shares.dtype).tiny), means[map_index])
    return vectors, shares.squeeze(1)
