"""The official GTSA code (github bok3948/GTSA), imported from a checkout and patched for current packages."""

import importlib
import importlib.util
import sys
import types
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmssl_geo.structures import ViewBatch
from mmssl_geo.utils.errors import UserError

FILES = ('model_pretrain/gtsa.py', 'util/misc.py', 'util/lr_sched.py')
STAND_IN = 'stand-in'
# Defaults of the official command line that its model reads.
ARGS = dict(num_crops=[2, 8], patch_size=16, roi_out_size=[10, 4], num_matches=(98, 18))


def load_reference(folder: str | Path) -> SimpleNamespace:
    """Imports the official modules.

    Args:
        folder: Checkout of the official repository.

    Returns:
        Namespace of `gtsa` (the model file), `misc`, `lr_sched` and `kornia` (its version or `STAND_IN`).

    Raises:
        UserError: The folder is not a checkout.
    """
    folder = Path(folder).absolute()
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise UserError(f'--reference {folder} is not a checkout of github.com/bok3948/GTSA: {missing[0]} is missing')
    _provide('torch._six', inf=float('inf'))  # removed from torch
    layers = importlib.import_module('timm.layers')  # formerly timm.models.layers
    sys.modules.setdefault('timm.models.layers', layers)
    try:
        importlib.import_module('kornia')
    except ImportError:
        _provide('kornia', __version__=STAND_IN, geometry=SimpleNamespace(transform=SimpleNamespace(rotate=_rotate)))
    sys.path.insert(0, str(folder))
    gtsa, misc, lr_sched = (importlib.import_module(name[:-3].replace('/', '.')) for name in FILES)
    return SimpleNamespace(gtsa=gtsa, misc=misc, lr_sched=lr_sched, kornia=sys.modules['kornia'].__version__)


def official_model(reference: Any, num_local: int, device: torch.device | str) -> Any:
    """Builds the official ViT-S/16 model in training mode, for 2 global and `num_local` local views."""
    args = Namespace(**{**ARGS, 'num_crops': [2, num_local]})
    return reference.gtsa.gtsa_small(args=args).to(device).train()


def official_boxes(views: ViewBatch) -> dict[str, Any]:
    """Converts boxes and angles of a `ViewBatch` to the format of the official code, which writes into the angles."""
    from mmssl_geo.geometry import pair_boxes

    sizes = [views.global_images.shape[-2:]] * views.num_global + [views.local_images.shape[-2:]] * views.num_local
    boxes = pair_boxes(views.crop_boxes_src, views.turns, torch.tensor(sizes), views.num_global)
    return {
        'gc': boxes.teacher_boxes_view,
        'all': boxes.student_boxes_view.transpose(1, 2).contiguous(),
        'angles': [turn * 90.0 for turn in views.turns.t()],
    }


def _provide(name: str, **attributes: Any) -> None:
    module = types.ModuleType(name)
    vars(module).update(attributes)
    sys.modules.setdefault(name, module)


def _rotate(maps: Tensor, degrees: Tensor) -> Tensor:
    """Rotates maps of shape (B, C, H, W) bilinearly like kornia, but with fewer operator calls."""
    radians = torch.deg2rad(degrees.to(maps.dtype))
    cos, sin = radians.cos(), radians.sin()
    zero = torch.zeros_like(cos)
    matrices = torch.stack([torch.stack([cos, -sin, zero], dim=1), torch.stack([sin, cos, zero], dim=1)], dim=1)
    return F.grid_sample(maps, F.affine_grid(matrices, list(maps.shape), align_corners=True), align_corners=True)
