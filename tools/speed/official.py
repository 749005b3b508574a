"""The official code's views and training, put together as its `main_pretrain.py` and `engine_pretrain.py` do it."""

import importlib.util
from collections.abc import Iterator
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

from mmssl_geo.structures import ViewBatch
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.paths import resource_root

TRANSFORMS = Path('util') / 'gtsa_transforms.py'
PAPER = 'gtsa_vits16_coco.py'
# What may differ from the paper's config: how, not what, is computed; sizes of views are handed to the official code.
FREE = (
    {'model.data_preprocessor', 'model.backbone.with_cp', 'pipeline.photometric.where'}
    | {f'pipeline.crop.{kind}_{what}' for kind in ('global', 'local') for what in ('size', 'scale')}
    | {'pipeline.crop.num_local'}
)


def check_same_net(cfg: Any) -> None:
    """Raises:
    UserError: the config trains another net, or on other kinds of views, than the official code does.
    """
    _check_same(cfg, lambda config: dict(model=config.model, pipeline=config.train_dataloader.dataset.pipeline))


def check_same_views(cfg: Any) -> None:
    """Raises:
    UserError: the config makes other kinds of views than the official code does.
    """
    _check_same(cfg, lambda config: dict(pipeline=config.train_dataloader.dataset.pipeline))


def _check_same(cfg: Any, parts: Any) -> None:
    ours = _flatten(parts(cfg))
    theirs = _flatten(parts(Config.fromfile(resource_root() / 'configs' / PAPER)))
    different = sorted(
        key
        for key in ours.keys() | theirs.keys()
        if ours.get(key, '') != theirs.get(key, '')
        and not any(key == free or key.startswith(f'{free}.') for free in FREE)
    )
    if different or ours['pipeline.crop.num_local'] < 1:
        raise UserError(
            f'--reference: config {cfg.filename} differs from configs/{PAPER}, which is what the official '
            f'code does, in {", ".join(different) or "pipeline.crop.num_local"}: leave --reference out, or '
            'take that config'
        )


def _flatten(tree: Any, prefix: str = '') -> Any:
    """Of nested dicts the leaves, `a.b.c` -> value; sequences as lists."""
    leaves = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            leaves.update(_flatten(value, f'{prefix}{key}.'))
        else:
            leaves[prefix + key] = list(value) if isinstance(value, (list, tuple)) else value
    return leaves


def check_views(folder: str | Path) -> None:
    """Raises:
    UserError: the folder is no checkout of the official repository.
    """
    if not (Path(folder) / TRANSFORMS).is_file():
        raise UserError(
            f'--reference {folder}: there is no {TRANSFORMS} in it; give a checkout of https://github.com/bok3948/GTSA'
        )


def official_views(folder: str | Path, crop: Any) -> Any:
    """The official transform of a Pillow image, with the sizes, numbers and scales of the `MultiCrop` `crop`."""
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
    """The images of an `ImageListDataset` as the official dataset gives them: `(views, boxes)`."""

    def __init__(self, images: Any, transform: Any) -> None:
        self.images = images
        self.transform = transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        return self.transform(Image.open(self.images.path(index)).convert('RGB'))


def official_batches(dataset: Any, batch_size: int, num_workers: int) -> Iterator[Any]:
    """Shuffled batches without end; the workers live on between epochs, which spares the official loader a pause."""
    loader = DataLoader(
        dataset, batch_size, shuffle=True, drop_last=True, num_workers=num_workers, persistent_workers=num_workers > 0
    )
    while True:
        yield from loader


def official_run(folder: str | Path, runner: Runner) -> Any:
    """`(OfficialTraining, batches)` on the images, views, batch size, workers and precision of our `runner`.

    Args:
        folder: checkout of the official repository.
        runner: of a config that has passed `check_same_net`.

    Raises:
        UserError: the folder is no checkout.
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
    """The official ViT-S/16 with its optimizer; a step is its engine's, without the printing.

    Args:
        reference: what `load_reference` gives.
        num_local: local views.
        device, dtype: of the training; a half precision is autocast's.
        data_parallel: whether gradients are averaged over processes.
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
        self.scaler = torch.amp.GradScaler('cuda', enabled=on_gpu and dtype == torch.float16)
        self.clip_gradients = reference.misc.clip_gradients

    def step(self, batch: Any) -> None:
        """One step on `(views, boxes)` as the official loader collates them."""
        losses = self.losses(*batch)
        losses[0].item()
        self.optimizer.zero_grad()
        self.backward(losses[0])
        self.optimize()
        for loss in losses:
            loss.item()  # its logger
        if self.device.type == 'cuda':
            torch.cuda.synchronize()

    def losses(self, views: Any, boxes: Any) -> Any:
        """`(total, crop, correspondence, rotation)`."""
        views = [view.to(self.device, non_blocking=True) for view in views]
        boxes = {key: boxes[key].to(self.device, non_blocking=True) for key in ('gc', 'all')} | {
            'angles': [angle.to(self.device, self.dtype, copy=True) for angle in boxes['angles']]
        }  # it writes there
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


def official_batch(views: ViewBatch) -> Any:
    """A `ViewBatch` as the official loader would have collated it."""
    images = [*views.global_images.chunk(views.num_global)]
    return images + [*views.local_images.chunk(views.num_local)], official_boxes(views)


def autocast(device: torch.device | str, dtype: torch.dtype) -> Any:
    half = dtype != torch.float32
    return torch.autocast(torch.device(device).type, dtype=dtype) if half else nullcontext()
