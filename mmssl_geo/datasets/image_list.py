"""A folder, a list or a COCO json of unlabelled images as a dataset."""
import os

import numpy as np
from torch.utils.data import Dataset

from mmssl_geo.registry import DATASETS
from mmssl_geo.utils.errors import UserError

from .image_cache import ImageCache
from .image_reading import UnreadableImage, read_rgb
from .image_sources import FileImages, TarImages
from .path_table import PathTable, read_coco_names, scan_folder
from .pipeline import build_pipeline

EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.gif', '.ppm', '.pgm', '.pbm')
CHECKED_AT_START = 32
SUBSTITUTES = 64


@DATASETS.register_module()
class ImageListDataset(Dataset):
    """Unlabelled images, each read as RGB and handed to a pipeline.

    The pipeline starts with `dict(img, img_path, image_idx, sample_idx, epoch, seed)`: `img` (H, W, 3) uint8 RGB,
    upright. All randomness downstream has to be a function of seed, epoch and `sample_idx` (and the view), so that
    worker count, batch order and resuming change nothing; no global random state is read or set here.

    An unreadable image is replaced by the next readable one (index + 1, + 2, ..., around the end). The sample keeps
    its own `sample_idx`, `image_idx` is the index of the image that it shows, and its key `unreadable` names the files
    that were passed over.

    Each step of the pipeline gets and returns a dict. A list of steps runs as it stands. In a dict every step has a name,
    so that a config or `--cfg-options` can change it, or remove it (None). Named steps run in the order of the stages
    that their classes declare (`mmssl_geo.datasets.Stage`), whatever the order of the dict's keys: regions, crops,
    flips, photometric augmentation, quarter turns, derived views, packing. A step whose config has `before` or `after`
    with the name of another step runs directly before or after that one:

        pipeline=dict(blur=dict(type='MyBlur', before='pack'))

    All steps run in the data loader's worker. Only the pixels of the photometric augmentation of multi-crop views may
    be computed elsewhere: with `where='device'` (or 'auto' and a GPU) the step draws the parameters, and the data
    preprocessor applies them to the whole batch. Steps after it then see views without it.

    The dataset calls `bind(names)` of steps that have such a method with the names of all images (relative to the
    image folder, by index): for steps that look up data for every image, such as `LoadRegions`. A step with a method
    `largest_reduction(height, width)`, such as `MultiCrop`, says how much smaller a JPEG may be decoded without
    enlarging any view.

    Args:
        data_root (str): the data set's folder.
        data_prefix (str): folder below `data_root` in which the images lie, such as 'train2017/'.
        ann_file (str, optional): relative to `data_root`, or absolute. None: the image folder is scanned with all
            folders below it, in sorted order. `.txt`: one path a line, absolute or relative to the image folder.
            `.json`: a COCO file, of which `images[].file_name` is read. `.tar`: tar files with the images in them,
            `*` stands for many of them ('train-*.tar').
        pipeline (Sequence | dict): transforms, or their configs; each gets and returns a dict. In a dict every step
            has a name, so that a config or `--cfg-options` can change one of them; None leaves a step out.
        seed (int, optional): goes into every sample. None: `ResumableEpochLoop` sets the run's (`randomness.seed`);
            0 without a run.
        max_unreadable (float): share of unreadable images above which `UnreadableImagesHook` stops the run.
        extensions (Sequence[str]): endings that count as images in a scan or in tar files, in any case.
        reduced_decoding (bool): large JPEGs are decoded at 1/2, 1/4 or 1/8 of their size where the pipeline allows it.
        cache (dict, optional): decoded images are kept, arguments of `ImageCache`: `folder` and `max_gb`.

    Raises:
        UserError: a path does not exist, nothing is found, none of up to 32 images, evenly spaced, can be read, or
            the pipeline has an impossible step or one after the packing step.
    """

    # mmengine's loops ask for it; unlabelled images have no classes
    metainfo = {}

    def __init__(self, data_root, data_prefix='', ann_file=None, pipeline=(), seed=None, max_unreadable=0.01,
                 extensions=EXTENSIONS, reduced_decoding=True, cache=None):
        if not isinstance(data_root, (str, os.PathLike)):
            raise UserError(f'data_root has to be a path, got {data_root!r}: --cfg-options reads one with a comma as '
                            'a list and one of digits as a number; write it into a config file')
        self.image_root = os.path.join(os.path.expanduser(data_root), data_prefix)
        self.seed = seed
        self.max_unreadable = max_unreadable
        self.source = self._find_images(data_root, ann_file, tuple(ending.lower() for ending in extensions))
        self.names = self.source.names
        self.reduction = self.cache = None
        self._check_some_can_be_read()
        self.pipeline = build_pipeline(pipeline)
        for step in self.pipeline.transforms:
            if hasattr(step, 'bind'):
                step.bind(self.names)
            if reduced_decoding and hasattr(step, 'largest_reduction'):
                self.reduction = step.largest_reduction
        self.cache = ImageCache(**cache) if cache else None

    def __len__(self):
        return len(self.names)

    def path(self, index):
        """Path of the image with this index, 0 <= index < len."""
        return self.source.path(index)

    def decode(self, index):
        """The image with this index, (H, W, 3) uint8, read anew; raises `UnreadableImage`."""
        try:
            file = self.source.open(index)
        except OSError as error:  # of a shard; files are opened by the reader
            raise UnreadableImage(self.path(index), error.strerror) from error
        return read_rgb(self.path(index), file, self.reduction)

    def __getitem__(self, index):
        """One sample.

        Args:
            index (int | tuple[int, int]): image index (epoch 0), or (image index, epoch) as `EpochSampler` yields it.

        Returns:
            dict: what the pipeline returns, and `unreadable` (str): a line 'path: reason' for each file that was passed
            over, '' as a rule.

        Raises:
            IndexError: the index is not in 0..len - 1.
            UserError: this image and the following ones, 64 in a row, cannot be read.
        """
        index, epoch = (index, 0) if np.ndim(index) == 0 else index
        if not 0 <= index < len(self):
            raise IndexError(f'there is no image {index}: the dataset has {len(self)}')
        image, shown, unreadable = self._read_or_substitute(int(index))
        sample = self.pipeline(
            dict(img=image, img_path=self.path(shown), image_idx=shown, sample_idx=int(index), epoch=int(epoch),
                 seed=self.seed or 0))
        sample['unreadable'] = '\n'.join(map(str, unreadable))
        return sample

    def _read_or_substitute(self, index):
        unreadable = []
        for step in range(min(SUBSTITUTES, len(self))):
            shown = (index + step) % len(self)
            try:
                return self._read(shown), shown, unreadable
            except UnreadableImage as error:
                unreadable.append(error)
        raise UserError(f'{len(unreadable)} images in a row cannot be read, the first is {unreadable[0]}; '
                        f'check the images below {self.image_root}')

    def _read(self, index):
        if self.cache is None:
            return self.decode(index)
        try:
            stamp = self.source.stamp(index)
        except OSError as error:
            raise UnreadableImage(self.path(index), error.strerror) from error
        key = os.path.realpath(self.path(index)), stamp, self.reduction and repr(self.reduction.__self__)
        image = self.cache.get(*key)
        if image is None:
            image = self.decode(index)
            self.cache.put(image, *key)
        return image

    def _find_images(self, data_root, ann_file, extensions):
        if ann_file is None:
            return FileImages(self.image_root, self._scan(extensions))
        path = os.path.join(os.path.expanduser(data_root), os.path.expanduser(ann_file))
        if not path.lower().endswith('.tar'):
            return FileImages(self.image_root, read_ann_file(path))
        source = TarImages(path, extensions)
        if len(source.names) == 0:
            raise UserError(f'there is no image in {path} (members ending in {", ".join(extensions)} were looked for)')
        return source

    def _scan(self, extensions):
        looked_for = f'images ending in {", ".join(extensions)} were looked for'
        if not os.path.isdir(self.image_root):
            raise UserError(f'the image folder {self.image_root} does not exist ({looked_for}): '
                            'correct data_root and data_prefix')
        names = scan_folder(self.image_root, extensions)
        if len(names) == 0:
            raise UserError(f'there is no image in {self.image_root} nor below it ({looked_for}): '
                            'correct data_root and data_prefix, or set extensions')
        return names

    def _check_some_can_be_read(self):
        chosen = np.unique(np.linspace(0, len(self) - 1, CHECKED_AT_START).astype(int))
        reasons = []
        for index in chosen:
            try:
                self.decode(index)
                return
            except UnreadableImage as error:
                reasons.append(error)
        raise UserError(f'none of {len(chosen)} images tried, of {len(self)}, can be read, the first is {reasons[0]}; '
                        f'names are taken relative to {self.image_root}: correct data_root, data_prefix or ann_file')


def read_ann_file(path):
    """Image names in a list (`.txt`, a path a line) or a COCO file (`.json`).

    Returns:
        PathTable: the names, in the file's order.

    Raises:
        UserError: another ending, no such file, or no image in it.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending not in ('.txt', '.json'):
        raise UserError(f'ann_file {path} has to end in .txt (a path a line), .json (COCO) or .tar')
    if not os.path.isfile(path):
        raise UserError(f'ann_file {path} does not exist (it is taken relative to data_root): correct it')
    if ending == '.json':
        names = read_coco_names(path)
        wanted = 'entries with a "file_name" in its list "images"'
    else:
        with open(path, 'rb') as file:
            names = PathTable.from_lines(file.read())
        wanted = f'lines, each the path of an image (such as {", ".join(EXTENSIONS[:3])})'
    if len(names) == 0:
        raise UserError(f'ann_file {path} names no image: it has to hold {wanted}')
    return names
