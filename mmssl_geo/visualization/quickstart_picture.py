"""The figure at the end of the quick start: curves, results, views and features as colours."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from PIL import Image
from torch import nn

from mmssl_geo.checkpoints import read_checkpoint
from mmssl_geo.datasets import ImageListDataset, pipeline_steps
from mmssl_geo.registry import DATASETS, MODELS
from mmssl_geo.utils.subprocesses import last_checkpoint

from .feature_colours import pca_colours
from .report import TableRow, TitledImage, report_figure
from .scalars import read_scalars
from .view_pairs import view_title

NUM_PHOTOS, SIDE = 4, 256
TEACHER_PREFIX = 'teacher.backbone.'


def draw_quickstart(path: str | Path, config: str | Path, work_dir: str | Path, report: Mapping[str, Any]) -> None:
    """Draws the figure of a finished quick start.

    Args:
        path: Figure to write.
        config: Config of the pretraining.
        work_dir: Work directory of the pretraining.
        report: The report that the quick start has returned.
    """
    cfg = Config.fromfile(config)
    dataset = _dataset_without_pipeline(cfg)
    indices = np.linspace(0, len(dataset) - 1, NUM_PHOTOS).astype(int)
    photos = [_centre_crop(dataset[int(index)]['img']) for index in indices]
    pretrained, random = (
        _feature_colours(backbone, cfg, photos) for backbone in _pretrained_and_random(cfg, last_checkpoint(work_dir))
    )
    results = report['results']
    rows: list[TableRow] = [
        (metric, results['random weights'][metric], value) for metric, value in results['GTSA'].items()
    ]
    rows.append(('mIoU, best constant', report['best_constant_miou'], None))
    triples = list(zip(photos, pretrained, random, strict=True))
    report_figure(path, read_scalars(work_dir), _view_images(cfg), triples, rows)


def _dataset_without_pipeline(cfg: Config) -> ImageListDataset:
    return DATASETS.build({**cfg.train_dataloader.dataset, 'pipeline': []})


def _view_images(cfg: Config) -> list[TitledImage]:
    steps = pipeline_steps(cfg.train_dataloader.dataset.pipeline)
    pipeline = [step for step in steps if not (isinstance(step, Mapping) and step['type'] == 'mmssl_geo.PackViews')]
    views = DATASETS.build({**cfg.train_dataloader.dataset, 'pipeline': pipeline})[0]['views']
    return [(view_title(index, record), np.asarray(image)) for index, (image, record) in enumerate(views)]


def _centre_crop(photo: np.ndarray) -> np.ndarray:
    """Crops the central square of a photo and resizes it to SIDE x SIDE pixels."""
    image = Image.fromarray(photo)
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return np.asarray(image.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def _pretrained_and_random(cfg: Config, checkpoint: Path) -> tuple[nn.Module, nn.Module]:
    """Builds the teacher's backbone, and the same net with random weights."""
    torch.manual_seed(0)
    random = MODELS.build({**cfg.model.backbone, 'drop_path_rate': 0.0})
    random.init_weights()
    pretrained = MODELS.build({**cfg.model.backbone, 'drop_path_rate': 0.0})
    state = read_checkpoint(checkpoint)['state_dict']
    pretrained.load_state_dict(
        {key.removeprefix(TEACHER_PREFIX): value for key, value in state.items() if key.startswith(TEACHER_PREFIX)}
    )
    pretrained.eval()  # mmpretrain's `train` and `eval` return None
    random.eval()
    return pretrained, random


@torch.no_grad()
def _feature_colours(backbone: nn.Module, cfg: Config, photos: Sequence[np.ndarray]) -> list[np.ndarray]:
    preprocessor = MODELS.build(cfg.model.data_preprocessor)
    images = torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2).float()
    features = backbone((images - preprocessor.mean) / preprocessor.std)[-1]
    return list(pca_colours(features, (SIDE, SIDE)))
