"""De-coupling for vision transformers: student views in which some patches come from another image.

Source: the later code (ICLR 2024) of D3SSL's authors, on iBOT. For a share of the batch, every view that the teacher
sees gets a further student view in which masked patch embeddings are replaced by those of another image. The teacher's
output of the clean view is the target, and only kept patches count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms import ColorJitter

from mmssl_geo.geometry import grid_boxes, pool_boxes, token_cutout
from mmssl_geo.models.data_preprocessors import NormalisingDataPreprocessor
from mmssl_geo.registry import MODELS
from mmssl_geo.utils.checks import check_numbers
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.tensors import at_least_float32


@dataclass(frozen=True)
class MixedViews:
    """R views in which some patches are to be replaced by another image's.

    Args:
        index: Index of each among the clean views, view-major, shape (R,).
        images: What the student sees where patches are kept, normalised, shape (R, 3, S, S).
        donors: Images that the replacing patches come from, normalised, shape (R, 3, S, S).
        mask: Bool, shape (R, h, w); True where the patch is replaced.
    """

    index: Tensor
    images: Tensor
    donors: Tensor
    mask: Tensor

    @property
    def kept(self) -> Tensor:
        """Bool, shape (R, h, w); True where the patch is the image's own."""
        return ~self.mask


@MODELS.register_module()
class PatchMixing:
    """Draws the mixed views of a batch and weights their loss.

    The mask is the holes of a region collaborative cutout (RCC) on the token grid, and their complement in every other
    view. All draws are seeded by one number of torch's CPU generator, which `StepSeedHook` seeds.

    Args:
        share: Share of the batch's images that get mixed views, at least one image (official code: 0.25).
        weight: Weight of the loss (official code: 0.3).
        cut_share: Smallest and largest target share c of the cutout, sampled uniformly. The official code draws c = 0
            half of the time too, but leaves these empty masks out of the mixing.
        jitter: Brightness, contrast, saturation and hue of a colour jitter of the student's views, on top of the
            augmentation that the teacher sees; None: no jitter. The official code intends a separate draw for the
            student, but an aliased list lets the teacher see the same one, hence None. The form is our choice: the
            worker may have applied the photometric augmentation already.

    Raises:
        UserError: If a setting is out of range.
    """

    def __init__(
        self,
        share: float = 0.25,
        weight: float = 0.3,
        cut_share: Sequence[float] = (0.2, 0.6),
        jitter: Sequence[float] | None = None,
    ) -> None:
        check_numbers('model.mixing', share=share, weight=weight)
        if not 0 < share <= 1:
            raise UserError(
                f'model.mixing.share must be above 0 and at most 1, got {share}; to mix nothing set model.mixing=None'
            )
        if weight < 0:
            raise UserError(f'model.mixing.weight must not be negative, got {weight}')
        if not 0 < cut_share[0] <= cut_share[1] <= 1:
            raise UserError(
                f'model.mixing.cut_share must be two numbers, 0 < smallest <= largest <= 1, got {tuple(cut_share)}'
            )
        if jitter is not None and (len(jitter) != 4 or min(jitter) < 0 or jitter[3] > 0.5):
            raise UserError(
                'model.mixing.jitter must be None or brightness, contrast, saturation and hue, none below '
                f'0 and the hue at most 0.5, got {tuple(jitter)}'
            )
        self.share = share
        self.weight = weight
        self.cut_share = (cut_share[0], cut_share[1])
        self.jitter = None if jitter is None else ColorJitter(*jitter)

    def draw(
        self, clean_images: Tensor, num_views: int, patch_size: int, normalisation: NormalisingDataPreprocessor
    ) -> MixedViews | None:
        """Draws the mixed views of a batch; the same images are chosen in each of the V views.

        Args:
            clean_images: Normalised images, view-major, shape (V * B, 3, S, S).
            num_views: V.
            patch_size: Side of a token in view pixels.
            normalisation: Holds the `mean` and `std` that the images are normalised by.

        Returns:
            V times the number of chosen images mixed views; None if B = 1: there is no other image.
        """
        batch_size = len(clean_images) // num_views
        if batch_size < 2:
            return None
        rng = np.random.default_rng(int(torch.randint(2**63 - 1, ())))
        chosen = rng.permutation(batch_size)[: max(1, round(self.share * batch_size))]
        donors = (chosen + rng.integers(1, batch_size, (num_views, len(chosen)))) % batch_size
        first_rows = np.arange(num_views)[:, None] * batch_size
        image_rows, donor_rows = ((first_rows + rows).flatten() for rows in (chosen, donors))
        height, width = clean_images.shape[-2:]
        masks = draw_masks(len(image_rows), (height // patch_size, width // patch_size), self.cut_share, rng)
        index, donor_index, mask = (
            torch.from_numpy(array).to(clean_images.device, non_blocking=True)
            for array in (image_rows, donor_rows, masks)
        )
        images = clean_images[index]
        if self.jitter is not None:
            images = jitter_colours(images, self.jitter, normalisation.mean, normalisation.std)
        return MixedViews(index, images, clean_images[donor_index], mask)

    def losses(self, losses: Tensor, cosines: Tensor, weights: Tensor, mixed: MixedViews) -> dict[str, Tensor]:
        """Computes the weighted loss of mixed views and values to monitor.

        Args:
            losses: Loss of every token or region, any shape.
            cosines: Cosines behind the losses, same shape.
            weights: Weight of each, same shape.
            mixed: The mixed views.

        Returns:
            `loss_mixing` (weighted), `cosine_mixing`, and `mixed_views`, their number.
        """
        weights = weights / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)
        return dict(
            loss_mixing=self.weight * (losses * weights).sum(),
            cosine_mixing=(cosines.detach() * weights).sum(),
            mixed_views=torch.full((), float(len(mixed.index)), device=losses.device),
        )

    @staticmethod
    def zero_losses(device: torch.device) -> dict[str, Tensor]:
        """Returns what is logged for a batch without mixed views."""
        return dict(mixed_views=torch.zeros((), device=device))


def build_patch_mixing(mixing: dict[str, Any] | None, backbone: nn.Module) -> PatchMixing | None:
    """Builds the `mixing` of a method.

    Raises:
        UserError: If the backbone has no patch embeddings to mix.
    """
    if mixing is None:
        return None
    if not hasattr(backbone, 'forward_mixed'):
        raise UserError(
            f'model.mixing: {type(backbone).__name__} has no patch embeddings to mix: use a vision '
            'transformer (model.backbone.type=mmssl_geo.SSLVisionTransformer) or leave model.mixing out'
        )
    return MODELS.build(mixing)


def draw_masks(
    count: int, grid: tuple[int, int], cut_share: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """Draws masks on a token grid: RCC holes, and in every other view their complement.

    The boxes are one per cell of a 3 x 3 grid; the target share is uniform in `cut_share` (official code).

    Args:
        count: Number of masks.
        grid: Height and width of the token grid.
        cut_share: Smallest and largest target share.
        rng: Random generator.

    Returns:
        Bool masks, shape (count, h, w).
    """
    holes = np.stack(
        [token_cutout(grid_boxes(rng, grid), rng.uniform(*cut_share), grid, rng).holes for _ in range(count)]
    )
    complement = (np.arange(count) + rng.integers(2)) % 2 == 1
    return holes ^ complement[:, None, None]


def jitter_colours(images: Tensor, jitter: ColorJitter, mean: Tensor, std: Tensor) -> Tensor:
    """Applies a colour jitter to normalised images of shape (N, 3, S, S), each with its own draw."""
    pixels = ((images * std + mean) / 255).clamp(0, 1)
    return (torch.stack([jitter(image) for image in pixels]) * 255 - mean) / std


def token_weights(kept: Tensor, dtype: torch.dtype) -> Tensor:
    """Weights tokens, shape (R, h, w): every view counts the same, its kept tokens too, the others not at all."""
    kept = kept.to(dtype)
    return kept / kept.sum(dim=(1, 2), keepdim=True).clamp(min=1)


def token_cosines(predictions: Tensor, targets: Tensor) -> Tensor:
    """Computes the cosine of every token, shape (R, h, w), of two maps (R, D, h, w), in float32 at least."""
    with torch.autocast(predictions.device.type, enabled=False):
        return F.cosine_similarity(at_least_float32(predictions), at_least_float32(targets), dim=1)


def pool_kept(maps: Tensor, kept: Tensor, boxes_feat: Tensor, map_index: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Averages the kept tokens in every box, each weighted by its part in the RoIAlign (our choice).

    A box without a kept token gets the mean of all kept tokens of its map and the share 0, so that each process has
    the same number of vectors (a BatchNorm over processes waits for all).

    Args:
        maps: Token maps, shape (R, C, h, w).
        kept: Bool, shape (R, h, w).
        boxes_feat: Boxes in feature cells, shape (M, 4), xyxy.
        map_index: Index of the map each box belongs to, shape (M,).
        size: Cells per side of the pooled patches.

    Returns:
        Vectors, shape (M, C), and the kept share of each box, shape (M,).
    """
    maps = at_least_float32(maps)
    kept = kept.unsqueeze(1).to(maps.dtype)
    pooled = pool_boxes(torch.cat([maps * kept, kept], dim=1), boxes_feat, map_index, size).mean(dim=(2, 3))
    sums, shares = pooled[:, :-1], pooled[:, -1:]
    means = (maps * kept).sum(dim=(2, 3)) / kept.sum(dim=(2, 3)).clamp(min=1)
    vectors = torch.where(shares > 0, sums / shares.clamp(min=torch.finfo(shares.dtype).tiny), means[map_index])
    return vectors, shares.squeeze(1)
