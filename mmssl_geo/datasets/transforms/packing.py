"""Last steps of the pipelines: pack views into tensors that torch's `default_collate` batches."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from torch import Tensor

from mmssl_geo.datasets.pipeline import Stage
from mmssl_geo.registry import TRANSFORMS
from mmssl_geo.structures import stack_records


@TRANSFORMS.register_module()
class PackViews(BaseTransform):
    """Packs the views of `MultiCrop` and their records.

    Required keys: `views`, `img_path`, `sample_idx`. Optional key: `photometric_params`.

    Returns a new dict:

    - `inputs`: `global`, uint8, shape (G, 3, S, S), and `local`, uint8, shape (L, 3, s, s)
    - the fields of `StackedRecords`
    - `photometric_params`, float32, shape (V, 11), if the pixels are computed on the device
    - `img_path`, `sample_idx`
    """

    stage = Stage.PACK

    def transform(self, results: dict) -> dict:
        packed = dict(
            inputs={
                kind: _stack([view for view, record in results['views'] if record.is_global == is_global])
                for kind, is_global in (('global', True), ('local', False))
            },
            **stack_records([record for _, record in results['views']]),
            img_path=results['img_path'],
            sample_idx=results['sample_idx'],
        )
        if 'photometric_params' in results:
            packed['photometric_params'] = torch.from_numpy(results['photometric_params'])
        return packed


@TRANSFORMS.register_module()
class PackRegionViews(BaseTransform):
    """Packs the named views of `RegionViews` and their regions.

    Required keys: `views`, `regions_fallback`, `img_path`, `sample_idx`.

    Returns a new dict:

    - `inputs`: name of the view -> pixels, uint8, shape (3, S, S)
    - `regions`: name -> boxes in view pixels, float32, shape (K, 4)
    - `region_shares`: name -> cut shares of the regions, float32, shape (K,), of views with a cutout
    - `foreground`, bool, shape (S, S), if a view has one
    - `regions_fallback` (bool), `img_path`, `sample_idx`
    """

    stage = Stage.PACK

    def transform(self, results: dict) -> dict:
        views = results['views']
        packed = dict(
            inputs={name: torch.from_numpy(view['img']).permute(2, 0, 1).contiguous() for name, view in views.items()},
            regions={name: torch.from_numpy(np.float32(view['regions'])) for name, view in views.items()},
            region_shares={
                name: torch.from_numpy(view['region_shares']) for name, view in views.items() if 'region_shares' in view
            },
            regions_fallback=results['regions_fallback'],
            img_path=results['img_path'],
            sample_idx=results['sample_idx'],
        )
        for view in views.values():
            if 'foreground' in view:
                packed['foreground'] = torch.from_numpy(view['foreground'])
        return packed


def _stack(views: Sequence[np.ndarray]) -> Tensor:
    """Stacks views of the shape (H, W, 3) into a tensor of the shape (N, 3, H, W); (0, 3, 0, 0) without views."""
    height, width = views[0].shape[:2] if views else (0, 0)
    stacked = np.empty((len(views), 3, height, width), np.uint8)
    for view, channels in zip(views, stacked, strict=True):
        cv2.split(view, tuple(channels))  # writes into `stacked`, several times as fast as numpy's transpose
    return torch.from_numpy(stacked)
