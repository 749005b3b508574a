"""Packs named views and their regions into tensors that torch's `default_collate` batches."""
import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmssl_geo.datasets.pipeline import Stage
from mmssl_geo.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackRegionViews(BaseTransform):
    """Last step of a pipeline with `RegionViews`.

    Required keys: `views`, `regions_fallback`, `img_path`, `sample_idx`.

    Returns a new dict: `inputs`, view name -> (3, S, S) uint8; `regions`, view name -> (K, 4) float32 in view pixels;
    `region_shares`, name -> (K,) float32, of the views with a cutout; `foreground` (S, S) bool if a view has one;
    `regions_fallback` (bool), `img_path`, `sample_idx`.
    """
    stage = Stage.PACK

    def transform(self, results):
        views = results['views']
        packed = dict(
            inputs={name: torch.from_numpy(view['img']).permute(2, 0, 1).contiguous() for name, view in views.items()},
            regions={name: torch.from_numpy(np.float32(view['regions'])) for name, view in views.items()},
            region_shares={name: torch.from_numpy(view['region_shares'])
                           for name, view in views.items() if 'region_shares' in view},
            regions_fallback=results['regions_fallback'],
            img_path=results['img_path'],
            sample_idx=results['sample_idx'])
        for view in views.values():
            if 'foreground' in view:
                packed['foreground'] = torch.from_numpy(view['foreground'])
        return packed
