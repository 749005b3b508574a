"""Views and training of the official code, assembled as in its `main_pretrain.py` and `engine_pretrain.py`."""

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image
from reference import load_reference, official_boxes, official_model
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

from mmssl_geo.engine.optimizers.optim_wrappers import grad_scaler
from mmssl_geo.structures import ViewBatch
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.paths import resource_root

TRANSFORMS = Path('util') / 'gtsa_transforms.py'
PAPER = 'gtsa_vits16_coco.py'
# Keys that may differ from the config of the paper: they do not change the method, or are passed to the official code.
IGNORED_KEYS = (
    {'model.data_preprocessor', 'model.backbone.with_cp', 'pipeline.photometric.where'}
    | {f'pipeline.crop.{kind}_{what}' for kind in ('global', 'local') for what in ('size', 'scale')}
    | {'pipeline.crop.num_local'}
)


def check_same_net(cfg: Any) -> None:
    """Checks that the config trains the same network on the same kinds of views as the official code.

    Raises:
        UserError: The model or the pipeline differs.
    """
    _check_same(cfg, lambda config: dict(model=config.model, pipeline=config.train_dataloader.dataset.pipeline))


def check_same_views(cfg: Any) -> None:
    """Checks that the config generates the same kinds of views as the official code.

    Raises:
        UserError: The pipeline differs.
    """
    _check_same(cfg, lambda config: dict(pipeline=config.train_dataloader.dataset.pipeline))


def _check_same(cfg: Config, parts: Callable[[Config], dict[str, Any]]) -> None:
    ours = _flatten(parts(cfg))
    theirs = _flatten(parts(Config.fromfile(resource_root() / 'configs' / PAPER)))
    different = sorted(
        key
        for key in ours.keys() | theirs.keys()
        if ours.get(key, '') != theirs.get(key, '')
        and not any(key == ignored or key.startswith(f'{ignored}.') for ignored in IGNORED_KEYS)
    )
    if different or ours['pipeline.crop.num_local'] < 1:
        raise UserError(
            f'--reference: config {cfg.filename} differs from configs/{PAPER}, which is what the official '
            f'code does, in {", ".join(different) or "pipeline.crop.num_local"}: omit --reference or '
            'use that config'
        )


def _flatten(tree: Any, prefix: str = '') -> dict[str, Any]:
    """Returns the leaves of nested dicts by dotted key; sequences become lists."""
    leaves = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            leaves.update(_flatten(value, f'{prefix}{key}.'))
        else:
            leaves[prefix + key] = list(value) if isinstance(value, (list, tuple)) else value
    return leaves


def check_views(folder: str | Path) -> None:
    """Checks that the folder is a checkout of the official repository.

    Raises:
        UserError: The file with the transforms is missing.
    """
    if not (Path(folder) / TRANSFORMS).is_file():
        raise UserError(
            f'--reference {folder}: {TRANSFORMS} is missing; use a checkout of https://github.com/bok3948/GTSA'
        )


def official_views(folder: str | Path, crop: Any) -> Any:
    """Builds the official transform of a Pillow image with the sizes, numbers and scales of a `MultiCrop`."""
    check_views(folder)
    spec = importlib.util.spec_from_file_location('official_transforms', Path(folder) / TRANSFORMS)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.GTSATransforms(
        [crop.sizes[0], crop.sizes[-1]],
        [group.num for group in crop.groups],
        [group.scale[0] for group in crop.groups],
        [group.scale[1] for group in crop.groups],
    )


class OfficialImages(Dataset):
    """Images of an `ImageListDataset` in the format of the official dataset, `(views, boxes)`."""

    def __init__(self, images: Any, transform: Any) -> None:
        self.images = images
        self.transform = transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        return self.transform(Image.open(self.images.path(index)).convert('RGB'))


def official_batches(dataset: Any, batch_size: int, num_workers: int) -> Iterator[Any]:
    """Yields shuffled batches endlessly; persistent workers avoid a pause of the official loader between epochs."""
    loader = DataLoader(
        dataset, batch_size, shuffle=True, drop_last=True, num_workers=num_workers, persistent_workers=num_workers > 0
    )
    while True:
        yield from loader


def official_run(folder: str | Path, runner: Runner) -> tuple['OfficialTraining', Iterator[Any]]:
    """Returns the official training and its batches, with the data and settings of `runner`.

    Args:
        folder: Checkout of the official repository.
        runner: Runner of a config that passes `check_same_net`.

    Raises:
        UserError: The folder is not a checkout.
    """
    loader = runner.cfg.train_dataloader
    images = runner.build_dataloader(loader, seed=runner.seed).dataset
    dataset = OfficialImages(images, official_views(folder, images.pipeline.transforms[0]))
    dtype = getattr(runner.optim_wrapper, 'cast_dtype', torch.float32)
    training = OfficialTraining(
        load_reference(folder), loader.dataset.pipeline.crop.num_local, next(runner.model.parameters()).device, dtype
    )
    return training, official_batches(dataset, loader.batch_size, loader.num_workers)


class OfficialTraining:
    """The official ViT-S/16 with its optimizer; a step follows the official engine, without logging.

    Args:
        reference: Result of `load_reference`.
        num_local: Number of local views per image.
        device: Device of the training.
        dtype: Precision; autocast is used for half precision.
        data_parallel: Whether gradients are averaged over processes.
    """

    def __init__(
        self,
        reference: Any,
        num_local: int,
        device: torch.device | str,
        dtype: torch.dtype,
        data_parallel: bool = False,
    ) -> None:
        self.model = official_model(reference, num_local, device)
        self.device, self.dtype = torch.device(device), dtype
        on_gpu = self.device.type == 'cuda'
        self.network = (
            DistributedDataParallel(self.model, device_ids=[torch.cuda.current_device()] if on_gpu else None)
            if data_parallel
            else self.model
        )
        self.optimizer = torch.optim.AdamW(reference.lr_sched.get_params_groups(self.network), lr=1e-5)
        self.scaler = grad_scaler('cuda', enabled=on_gpu and dtype == torch.float16)
        self.clip_gradients = reference.misc.clip_gradients

    def step(self, batch: Any) -> None:
        """Runs one step on `(views, boxes)` as collated by the official loader."""
        losses = self.losses(*batch)
        losses[0].item()
        self.optimizer.zero_grad()
        self.backward(losses[0])
        self.optimize()
        for loss in losses:
            loss.item()  # the official logger does this
        if self.device.type == 'cuda':
            torch.cuda.synchronize()

    def losses(self, views: Any, boxes: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns the losses `(total, crop, correspondence, rotation)`."""
        views = [view.to(self.device, non_blocking=True) for view in views]
        boxes = {key: boxes[key].to(self.device, non_blocking=True) for key in ('gc', 'all')} | {
            # copied, because the model writes into the angles
            'angles': [angle.to(self.device, self.dtype, copy=True) for angle in boxes['angles']]
        }
        with autocast(self.device, self.dtype):
            crop, correspondence, rotation = self.network(views, boxes, 0.996)
            return crop + 0.5 * correspondence + 0.5 * rotation, crop, correspondence, rotation

    def backward(self, loss: Tensor) -> None:
        self.scaler.scale(loss).backward()

    def optimize(self) -> None:
        self.scaler.unscale_(self.optimizer)
        self.clip_gradients(self.network, 3.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()


def official_batch(views: ViewBatch) -> tuple[list[Tensor], dict[str, Any]]:
    """Converts a `ViewBatch` to the format of the official loader."""
    images = [*views.global_images.chunk(views.num_global)]
    return images + [*views.local_images.chunk(views.num_local)], official_boxes(views)


def autocast(device: torch.device | str, dtype: torch.dtype) -> Any:
    half = dtype != torch.float32
    return torch.autocast(torch.device(device).type, dtype=dtype) if half else nullcontext()
