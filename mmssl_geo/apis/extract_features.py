"""Features of a folder of images: of whole images, of patches, or of regions."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmssl_geo.checkpoints import Encoder, load_encoder
from mmssl_geo.evaluation.frozen_net import run_frozen
from mmssl_geo.geometry import pool_boxes
from mmssl_geo.models.backbones.base import has_cls_token
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.progress import ProgressBar

from .feature_shards import FeatureShards
from .whole_images import BoxFile, WholeImage, WholeImages, list_images

Kind = Literal['image', 'patches', 'regions']
SHARD_SIZES: dict[Kind, int] = dict(image=10_000, patches=500, regions=1_000)


class ExtractedFeatures(NamedTuple):
    """Result of `extract_features`.

    Attributes:
        num_images: Number of images with features.
        unreadable: One line 'name: reason' per unreadable image.
    """

    num_images: int
    unreadable: list[str]


def extract_features(
    checkpoint: str | Path,
    images: str | Path,
    out: str | Path,
    kind: Kind = 'image',
    regions: str | Path | None = None,
    size: tuple[int, int] = (224, 224),
    weights: str = 'teacher',
    num_heads: int | None = None,
    dtype: str = 'float32',
    shard_size: int | None = None,
    batch_size: int = 32,
    num_workers: int = 4,
    device: str | torch.device = 'cpu',
    allow_code: bool = False,
) -> ExtractedFeatures:
    """Writes the features of images to a folder of shards; a folder begun with the same arguments is completed.

    Args:
        checkpoint: Checkpoint of any layout that the converter supports.
        images: Folder of images, or a .txt list of paths.
        out: Folder to write to, see `FeatureShards`.
        kind: What the features describe, see `FeatureExtractor`.
        regions: Boxes for the kind 'regions', see `BoxFile`.
        size: Height and width of the views in pixels; images are resized as a whole.
        weights: 'teacher' or 'student', for checkpoints that hold both.
        num_heads: Number of attention heads, if neither the file nor the width determines it.
        dtype: 'float32' or 'float16'.
        shard_size: Images per file. None: 10000 for whole images, 500 for patches, 1000 for regions.
        batch_size: Images per batch.
        num_workers: Worker processes that read images.
        device: Device of the network.
        allow_code: Whether the checkpoint may run code while it loads.

    Raises:
        UserError: If an input is wrong, or no image is readable.
    """
    encoder = load_encoder(checkpoint, weights, num_heads, allow_code)
    print(encoder.description)
    extractor = FeatureExtractor(encoder, kind, size, device, dtype)
    root, names = list_images(images)
    dataset = WholeImages(root, names, size, BoxFile(regions, names) if regions else None)
    settings = dict(
        kind=kind,
        size=list(size),
        dtype=dtype,
        net=encoder.description,
        stride=encoder.stride,
        channels=encoder.channels,
        checkpoint=_digest(Path(checkpoint).read_bytes()),
        num_images=len(names),
        images=_digest(names.buffer.tobytes()),
        regions=_digest(Path(regions).read_bytes()) if regions else None,
        shard_size=shard_size or SHARD_SIZES[kind],
    )
    shards = FeatureShards(out, settings)
    _write_missing_shards(dataset, extractor, shards, batch_size, num_workers)
    return ExtractedFeatures(*shards.finish())


class FeatureExtractor:
    """Computes the features of views of one size with a frozen encoder.

    Kinds of features, after the final LayerNorm of a ViT or of the last stage of a ResNet:

    - 'image': `mean` over the cells of the map, shape (N, C), and for a ViT `cls`, shape (N, C).
    - 'patches': `maps`, shape (N, C, h, w).
    - 'regions': `features`, the mean of each box (aligned RoIAlign), shape (M, C); `image`, the row of its image, shape
      (M,); `boxes`, xyxy in pixels of the upright source image, shape (M, 4); `labels`, category ids or -1, shape (M,).

    Args:
        encoder: The encoder.
        kind: Kind of features.
        size: Height and width of the views, multiples of the encoder's stride.
        device: Device of the network.
        dtype: Type of the features.

    Raises:
        UserError: If the size is not a multiple of the stride.
    """

    def __init__(
        self,
        encoder: Encoder,
        kind: Kind,
        size: tuple[int, int],
        device: str | torch.device,
        dtype: DTypeLike = np.float32,
    ) -> None:
        if any(side % encoder.stride for side in size):
            raise UserError(
                f"--size {size[0]}x{size[1]}: both sides must be multiples of the network's stride of "
                f'{encoder.stride} px'
            )
        net: Any = encoder.net
        self.has_cls = has_cls_token(net)
        if self.has_cls:
            net.out_type = 'raw'  # with the class token
        self.net: nn.Module = net.to(device)
        self.kind, self.channels, self.device, self.dtype = kind, encoder.channels, device, dtype
        self.cells = size[0] // encoder.stride, size[1] // encoder.stride

    def empty(self) -> dict[str, NDArray]:
        """Returns the arrays of no image."""
        features = np.empty((0, self.channels), self.dtype)
        if self.kind == 'image':
            return dict(mean=features, cls=features) if self.has_cls else dict(mean=features)
        if self.kind == 'patches':
            return dict(maps=np.empty((0, self.channels, *self.cells), self.dtype))
        return dict(
            features=features,
            image=np.empty(0, np.int64),
            boxes=np.empty((0, 4), np.float32),
            labels=np.empty(0, np.int64),
        )

    def __call__(self, images: Sequence[WholeImage], first_row: int) -> dict[str, NDArray]:
        """Computes the arrays of a batch.

        Args:
            images: Readable images.
            first_row: Row of the first image in its shard.

        Raises:
            UserError: If features are not finite.
        """
        views = torch.stack([image.view for image in images if image.view is not None])
        output = run_frozen(self.net, views)
        cls, maps = None, output
        if self.has_cls:
            cls, maps = output[:, 0], output[:, 1:].transpose(1, 2).unflatten(2, self.cells)
        if self.kind == 'regions':
            return self._regions(maps, images, first_row)
        if self.kind == 'patches':
            return dict(maps=self._array(maps))
        means = dict(mean=self._array(maps.mean(dim=(2, 3))))
        return means if cls is None else dict(means, cls=self._array(cls))

    def _regions(self, maps: Tensor, images: Sequence[WholeImage], first_row: int) -> dict[str, NDArray]:
        rows = np.repeat(np.arange(len(images)), [len(image.boxes) for image in images])
        boxes = np.concatenate([image.boxes for image in images])
        sides_src = np.array([image.size for image in images])[rows][:, [1, 0, 1, 0]]
        boxes_feat = torch.from_numpy(boxes * np.tile(self.cells[::-1], 2)).to(self.device)
        pooled = pool_boxes(maps, boxes_feat, torch.from_numpy(rows).to(self.device), 1)
        return dict(
            features=self._array(pooled.flatten(1)),
            image=rows + first_row,
            boxes=(boxes * sides_src).astype(np.float32),
            labels=np.concatenate([image.labels for image in images]),
        )

    def _array(self, values: Tensor) -> NDArray:
        return values.cpu().numpy().astype(self.dtype)


def _write_missing_shards(
    images: WholeImages, extractor: FeatureExtractor, shards: FeatureShards, batch_size: int, num_workers: int
) -> None:
    """Writes the shards that are missing or lack an image that is readable now; holds one shard in memory."""
    missing = [number for number in range(shards.count) if _is_incomplete(number, images, shards)]
    batches = [(number, batch) for number in missing for batch in _split(shards.images(number), batch_size)]
    loader = DataLoader(images, batch_sampler=[batch for _, batch in batches], num_workers=num_workers, collate_fn=list)
    num_done = len(images) - sum(len(batch) for _, batch in batches)
    parts = [extractor.empty()]
    names: list[str] = []
    unreadable: list[tuple[str, str]] = []
    with ProgressBar(len(images), 'images', initial=num_done) as progress:
        for (number, indices), batch in zip(batches, loader, strict=True):
            readable = [image for image in batch if image.view is not None]
            if readable:
                parts.append(extractor(readable, len(names)))
            names += [image.name for image in readable]
            unreadable += [(image.name, image.reason) for image in batch if image.view is None]
            if indices[-1] == shards.images(number)[-1]:
                shards.write(number, parts, names, unreadable)
                parts, names, unreadable = [extractor.empty()], [], []
            progress.update(len(batch))


def _is_incomplete(number: int, images: WholeImages, shards: FeatureShards) -> bool:
    if not shards.path(number).exists():
        return True
    unreadable = shards.unreadable(number)
    retried = [index for index in shards.images(number) if images.names[index] in unreadable] if unreadable else []
    return any(images[index].view is not None for index in retried)


def _split(indices: range, size: int) -> list[list[int]]:
    return [list(indices[begin : begin + size]) for begin in range(0, len(indices), size)]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
