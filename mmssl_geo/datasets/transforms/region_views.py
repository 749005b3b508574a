"""Two views of an image and the regions that both show."""

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from mmssl_geo.datasets.pipeline import Stage
from mmssl_geo.geometry import grid_boxes
from mmssl_geo.registry import TRANSFORMS
from mmssl_geo.utils.checks import check_fractions, check_numbers
from mmssl_geo.utils.errors import UserError

from .random_streams import sample_rng
from .region_choice import RegionRules, intersect, jitter_boxes, sample_crop
from .region_utils import check_range, get_regions


@TRANSFORMS.register_module()
class RegionViews(BaseTransform):
    """x1, (almost) the whole image, and x2, a crop of x1, both square, with K regions each (D3SSL, SoCo).

    Region k is the same object in every view. As in SoCo's code and D3SSL's figure, its box in x1 is the whole region
    and its box in x2 the part that x2 shows. Crops are resized bilinearly with antialiasing (PIL); their edges are not
    rounded, so any image has room for them. Each view is flipped independently.

    A region of the image is usable if its aspect and its size are within bounds in the image (SoCo's filter), and
    both sides of both its boxes are long enough in the views (SoCo requires this of the image only). The crops are
    sampled again until K / 2 regions are usable; if this never happens, the crops with most of them are taken. K of the
    regions are chosen; fewer are padded by jittered copies. If none is usable, boxes of a random grid in x2 are used.

    Required keys: `img` (H, W, 3 RGB uint8), `regions` in its pixels, shape (N, 4), N >= 0.
    Modified key: `regions_fallback` (bool), also True if this step uses the grid.
    Added keys: `regions_src`, the chosen regions in the image, float32, shape (K, 4); `views`, a dict of `x1` and `x2`,
    each `dict(img, regions, crop_box_src, flipped, name)` with `img`, uint8, shape (S, S, 3), and `regions` in view
    pixels, float32, shape (K, 4), and the image's `seed`, `epoch`, `sample_idx` if it has them.

    Args:
        size: Side S of the views in pixels.
        num_regions: Number K of regions.
        x1_scale: Smallest and largest area of x1 as a share of the image's (our choice; (1, 1) is SoCo's whole image).
        crop_scale: Smallest and largest area of x2 as a share of x1's.
        crop_ratio: Smallest and largest width / height of x2 in the pixels of x1; also bounds x1's in the image
            stretched to a square (our choice). It must include 1, and is narrowed to what fits.
        flip_prob: Probability of a horizontal flip of each view.
        jitter: Largest change of a copy's centre and sides, as a share of the region's sides (0.1 is SoCo's setting,
            but its code results in plain copies: 0).
        max_aspect: Largest ratio of a region's sides in the image.
        size_range: Smallest and largest square root of a region's share of the image's area.
        min_side: Smallest side of a region in either view, as a share of the view's (our choice; 1/7 is 32 of 224 px).
        same_part: Whether x1's box, too, is only the part that x2 shows.
        max_draws: Largest number of attempts at the crops.

    Raises:
        UserError: If a setting is impossible.
    """

    stage = Stage.CROP

    def __init__(
        self,
        size: int = 224,
        num_regions: int = 4,
        x1_scale: tuple[float, float] = (0.9, 1.0),
        crop_scale: tuple[float, float] = (0.6, 1.0),
        crop_ratio: tuple[float, float] = (3 / 4, 4 / 3),
        flip_prob: float = 0.5,
        jitter: float = 0.1,
        max_aspect: float = 3.0,
        size_range: tuple[float, float] = (0.3, 0.8),
        min_side: float = 1 / 7,
        same_part: bool = False,
        max_draws: int = 8,
    ) -> None:
        for name, value in (('size', size), ('num_regions', num_regions), ('max_draws', max_draws)):
            if not isinstance(value, int) or value < 1:
                raise UserError(f'RegionViews.{name} must be a positive whole number, got {value!r}')
        for name, scale in (('x1_scale', x1_scale), ('crop_scale', crop_scale)):
            check_range('RegionViews', name, scale, 0.01, 1)
        check_range('RegionViews', 'size_range', size_range, 0, 1)
        if not 0 < crop_ratio[0] <= 1 <= crop_ratio[1]:
            raise UserError(f'RegionViews.crop_ratio must include 1, got {tuple(crop_ratio)}')
        if not 0 <= min_side < 1:
            raise UserError(f'RegionViews.min_side is a share of the view, 0 to below 1, got {min_side}')
        check_fractions('RegionViews', flip_prob=flip_prob)
        check_numbers('RegionViews', at_least=0, jitter=jitter)
        check_numbers('RegionViews', at_least=1, max_aspect=max_aspect)
        self.size, self.num_regions = size, num_regions
        self.x1_scale, self.crop_scale, self.crop_ratio = x1_scale, crop_scale, crop_ratio
        self.flip_prob, self.jitter, self.max_draws = flip_prob, jitter, max_draws
        self.rules = RegionRules(max_aspect, size_range, min_side, same_part)

    def transform(self, results: dict) -> dict:
        rng = sample_rng(results, 'region_views')
        height, width = results['img'].shape[:2]
        whole = np.array([0.0, 0.0, width, height])
        candidates_src = intersect(get_regions(results, 'regions', 'RegionViews'), whole)
        candidates_src = candidates_src[self.rules.well_formed(candidates_src, width * height)]
        crops_src, usable_src = self._sample_crops(whole, candidates_src, rng)
        fallback = len(usable_src) == 0
        if fallback:
            left_top, sides = crops_src[1, :2], crops_src[1, 2:] - crops_src[1, :2]
            usable_src = grid_boxes(rng, sides[::-1]) + np.tile(left_top, 2)
        regions_src = self._choose(usable_src, crops_src, whole, rng)
        results['regions_src'] = regions_src.astype(np.float32)
        results['regions_fallback'] = bool(results.get('regions_fallback', False) or fallback)
        image, parts_src = Image.fromarray(results['img']), self.rules.parts(regions_src, crops_src)
        results['views'] = {
            name: {
                **self._make_view(image, crop_src, boxes_src, bool(rng.random() < self.flip_prob)),
                'name': name,
                **{key: results[key] for key in ('seed', 'epoch', 'sample_idx') if key in results},
            }
            for name, crop_src, boxes_src in zip(('x1', 'x2'), crops_src, parts_src, strict=True)
        }
        return results

    def _sample_crops(
        self, whole: np.ndarray, candidates_src: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Samples the crops of x1 and x2, shape (2, 4), and returns them with the regions that are usable in them."""
        best: tuple[np.ndarray, np.ndarray] | None = None
        for _ in range(self.max_draws):
            x1_src = sample_crop(whole, self.x1_scale, self.crop_ratio, rng)
            crops_src = np.stack([x1_src, sample_crop(x1_src, self.crop_scale, self.crop_ratio, rng)])
            usable_src = candidates_src[self.rules.long_enough(candidates_src, crops_src)]
            if best is None or len(usable_src) > len(best[1]):
                best = crops_src, usable_src
            if len(usable_src) >= max(1, self.num_regions // 2):
                break
        assert best is not None  # max_draws is at least 1
        return best

    def _choose(
        self, usable_src: np.ndarray, crops_src: np.ndarray, whole: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Chooses K regions, shape (K, 4): distinct ones first, then copies, jittered if the copy is still usable."""
        chosen_src = usable_src[rng.permutation(len(usable_src))[: self.num_regions]]
        copies_src = chosen_src[rng.integers(len(chosen_src), size=self.num_regions - len(chosen_src))]
        jittered_src = intersect(jitter_boxes(copies_src, self.jitter, rng), whole)
        usable = self.rules.long_enough(jittered_src, crops_src)
        return np.concatenate([chosen_src, np.where(usable[:, None], jittered_src, copies_src)])

    def _make_view(self, image: Image.Image, crop_src: np.ndarray, boxes_src: np.ndarray, flipped: bool) -> dict:
        """Makes the image, regions and record of a view; `boxes_src`, shape (K, 4), lie within the crop."""
        view = image.resize((self.size, self.size), Image.Resampling.BILINEAR, box=tuple(crop_src))
        boxes_view = (boxes_src - np.tile(crop_src[:2], 2)) * np.tile(self.size / (crop_src[2:] - crop_src[:2]), 2)
        if flipped:
            view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            boxes_view[:, [0, 2]] = self.size - boxes_view[:, [2, 0]]
        regions = boxes_view.clip(0, self.size).astype(np.float32)  # removes rounding errors at the border
        return dict(img=np.array(view), regions=regions, crop_box_src=crop_src, flipped=flipped)
