"""A folder, a list or a COCO json of unlabelled images as a dataset."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from mmssl_geo.registry import DATASETS
from mmssl_geo.utils.checks import check_counts, check_fractions
from mmssl_geo.utils.errors import UserError

from .image_cache import ImageCache
from .image_names import EXTENSIONS, PathTable, log, read_ann_file, scan_folder
from .image_reading import MAX_PIXELS, UnreadableImage, printable, read_rgb
from .image_sources import FileImages, TarImages
from .pipeline import Pipeline, build_pipeline

CHECKED_AT_START = 32
SUBSTITUTES = 64


@DATASETS.register_module()
class ImageListDataset(Dataset):
    """Unlabelled images, each read as RGB and passed through a pipeline.

    The pipeline starts with `dict(img, img_path, image_idx, sample_idx, epoch, seed)`: `img` (H, W, 3) uint8 RGB,
    upright. All randomness in the pipeline must be a function of seed, epoch and `sample_idx` (and the view), so that
    number of workers, batch order and resuming change nothing; global random states are neither read nor set here.

    An unreadable image is replaced by the next readable one (index + 1, + 2, ..., wrapping around). The sample keeps
    its own `sample_idx`, `image_idx` is the index of the image that was read, and its key `unreadable` names the files
    that were skipped.

    Each step of the pipeline takes and returns a dict. A list of steps runs in order. In a dict every step has a
    name, so that a config or `--cfg-options` can change it, or remove it (None). Named steps run in the order of the
    stages that their classes declare (see `mmssl_geo.datasets.Stage`), regardless of the order of the dict's keys. A
    step whose config has `before` or `after` with the name of another step runs directly before or after that one:

        pipeline=dict(blur=dict(type='MyBlur', before='pack'))

    All steps run in the data loader's worker. Only the pixels of `MultiViewPhotometricAugmentation` may be computed
    elsewhere: with `where='device'` (or 'auto' and a GPU) the step samples the parameters, and the data preprocessor
    applies them to the whole batch. Steps after it then see views without it.

    The dataset calls `bind(names)` of steps that have such a method with the names of all images (relative to the
    image folder, by index): for steps that look up data for every image, such as `LoadRegions`. A step with a method
    `largest_reduction(height, width)`, such as `MultiCrop`, states how much smaller a JPEG may be decoded without
    enlarging any view.

    Args:
        data_root: Folder of the data set.
        data_prefix: Folder of the images below `data_root`, such as 'train2017/'.
        ann_file: File that lists the images, relative to `data_root` or absolute. None scans the image folder with all
            folders below it, in sorted order. `.txt`: one path per line, absolute or relative to the image folder.
            `.json`: a COCO file, of which `images[].file_name` is read. `.tar`: tar files with the images in them,
            with wildcards ('train-*.tar').
        pipeline: Transforms or their configs, as a list or as a dict of named steps.
        seed: Part of every sample. None: `ResumableEpochLoop` sets the run's (`randomness.seed`); 0 without a run.
        max_unreadable: Share of unreadable images above which `UnreadableImagesHook` stops the run.
        extensions: File extensions of images in a scan or in tar files, in any case.
        reduced_decoding: Whether large JPEGs are decoded at 1/2, 1/4 or 1/8 of their size if the pipeline allows it.
        max_pixels: Largest number of pixels of an image, by its header; larger ones count as unreadable. A worker
            needs three bytes and more for each pixel.
        allow_damaged: Whether truncated and damaged images are used as far as they can be decoded.
        cache: Arguments `folder` and `max_gb` of `ImageCache`; None decodes every image every time.

    Raises:
        UserError: If a path does not exist, no image is found, none of up to 32 evenly spaced images can be read, or
            the pipeline has an impossible step or place of a step.
    """

    # mmengine's loops need it; unlabelled images have no classes
    metainfo: dict[str, Any] = {}

    def __init__(
        self,
        data_root: str,
        data_prefix: str = '',
        ann_file: str | None = None,
        pipeline: Pipeline = (),
        seed: int | None = None,
        max_unreadable: float = 0.01,
        extensions: Sequence[str] = EXTENSIONS,
        reduced_decoding: bool = True,
        max_pixels: int = MAX_PIXELS,
        allow_damaged: bool = False,
        cache: dict[str, Any] | None = None,
    ) -> None:
        if not isinstance(data_root, (str, os.PathLike)):
            raise UserError(
                f'data_root must be a path, got {data_root!r}: --cfg-options reads a value with a comma as '
                'a list and one of digits as a number; write it into a config file'
            )
        check_fractions('ImageListDataset', max_unreadable=max_unreadable)
        check_counts('ImageListDataset', max_pixels=max_pixels)
        if seed is not None:
            check_counts('ImageListDataset', at_least=0, seed=seed)
        self.image_root = os.path.join(os.path.expanduser(data_root), data_prefix)
        self.seed = seed
        self.max_pixels = max_pixels
        self.allow_damaged = allow_damaged
        self.max_unreadable = max_unreadable
        self.source = self._find_images(data_root, ann_file, tuple(extension.lower() for extension in extensions))
        self.names = self.source.names
        self.reduction: Callable[[int, int], int] | None = None
        self.cache: ImageCache | None = None
        self._check_some_can_be_read()
        self.pipeline = build_pipeline(pipeline)
        for step in self.pipeline.transforms:
            if hasattr(step, 'bind'):
                step.bind(self.names)
            if reduced_decoding and hasattr(step, 'largest_reduction'):
                self.reduction = step.largest_reduction
        self.cache = ImageCache(**cache) if cache else None

    def __len__(self) -> int:
        return len(self.names)

    def path(self, index: int) -> str:
        """Returns the path of the image with this index, 0 <= index < len."""
        return self.source.path(index)

    def decode(self, index: int) -> np.ndarray:
        """Reads the image with this index from its file, past the cache.

        Returns:
            RGB image, uint8, shape (H, W, 3).

        Raises:
            UnreadableImage: If it cannot be read.
        """
        try:
            file = self.source.open(index)
        except OSError as error:  # of a shard; the reader opens other files
            raise UnreadableImage(self.path(index), error.strerror or str(error)) from error
        return read_rgb(self.path(index), file, self.reduction, self.max_pixels, self.allow_damaged)

    def __getitem__(self, index: int | tuple[int, int]) -> dict[str, Any]:
        """Returns a sample.

        Args:
            index: Image index (epoch 0), or (image index, epoch) as `EpochSampler` yields it.

        Returns:
            What the pipeline returns, and `unreadable`: one line 'path: reason' for each skipped file, usually ''.

        Raises:
            IndexError: If the index is not in 0..len - 1.
            UserError: If this image and the following ones, 64 in a row, cannot be read.
        """
        image_index, epoch = index if isinstance(index, (tuple, list)) else (index, 0)
        if not 0 <= image_index < len(self):
            raise IndexError(f'there is no image {image_index}: the dataset has {len(self)}')
        image, read_index, unreadable = self._read_or_substitute(int(image_index))
        sample = self.pipeline(
            dict(
                img=image,
                img_path=self.path(read_index),
                image_idx=read_index,
                sample_idx=int(image_index),
                epoch=int(epoch),
                seed=self.seed or 0,
            )
        )
        sample['unreadable'] = '\n'.join(map(str, unreadable))
        return sample

    def _read_or_substitute(self, index: int) -> tuple[np.ndarray, int, list[UnreadableImage]]:
        """Returns the first readable image from `index` on, its index, and the errors of those before it."""
        unreadable: list[UnreadableImage] = []
        for step in range(min(SUBSTITUTES, len(self))):
            substitute = (index + step) % len(self)
            try:
                return self._read(substitute), substitute, unreadable
            except UnreadableImage as error:
                unreadable.append(error)
        raise UserError(
            f'{len(unreadable)} images in a row cannot be read, the first is {unreadable[0]}; '
            f'check the images below {printable(self.image_root)}'
        )

    def _read(self, index: int) -> np.ndarray:
        if self.cache is None:
            return self.decode(index)
        try:
            stamp = self.source.stamp(index)
        except OSError as error:
            raise UnreadableImage(self.path(index), error.strerror or str(error)) from error
        reducing_step = getattr(self.reduction, '__self__', None)
        key = os.path.realpath(self.path(index)), stamp, reducing_step and repr(reducing_step)
        image = self.cache.get(*key)
        if image is None:
            image = self.decode(index)
            self.cache.put(image, *key)
        return image

    def _find_images(self, data_root: str, ann_file: str | None, extensions: tuple[str, ...]) -> FileImages | TarImages:
        if ann_file is None:
            return FileImages(self.image_root, self._scan(extensions))
        path = os.path.join(os.path.expanduser(data_root), os.path.expanduser(ann_file))
        if not path.lower().endswith('.tar'):
            names = read_ann_file(path)
            log(f'{path}: {len(names)} images')
            return FileImages(self.image_root, names)
        source = TarImages(path, extensions)
        if len(source.names) == 0:
            raise UserError(f'there is no image in {path} (expected members ending in {", ".join(extensions)})')
        return source

    def _scan(self, extensions: tuple[str, ...]) -> PathTable:
        expected = f'expected images ending in {", ".join(extensions)}'
        if not os.path.isdir(self.image_root):
            raise UserError(
                f'the image folder {self.image_root} does not exist ({expected}): correct data_root and data_prefix'
            )
        names = scan_folder(self.image_root, extensions)
        if len(names) == 0:
            raise UserError(
                f'there is no image in {self.image_root} or below it ({expected}): '
                'correct data_root and data_prefix, or set extensions'
            )
        return names

    def _check_some_can_be_read(self) -> None:
        chosen = np.unique(np.linspace(0, len(self) - 1, CHECKED_AT_START).astype(int)).tolist()
        reasons: list[UnreadableImage] = []
        for index in chosen:
            try:
                self.decode(index)
                return
            except UnreadableImage as error:
                reasons.append(error)
        raise UserError(
            f'none of {len(chosen)} images tried, of {len(self)}, can be read, the first is {reasons[0]}; '
            f'names are relative to {self.image_root}: correct data_root, data_prefix or ann_file'
        )
