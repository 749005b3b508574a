"""The picture at the end of the quick start: curves, table, views and features as colours."""
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from PIL import Image

from mmssl_geo.checkpoints import read_checkpoint
from mmssl_geo.datasets import pipeline_steps
from mmssl_geo.registry import DATASETS, MODELS

from .feature_colours import pca_colours
from .report import report_figure
from .scalars import read_scalars
from .view_pairs import view_title

NUM_PHOTOS, SIDE = 4, 256


def draw_quickstart(out, report):
    """Draws `report.png` of a finished quick start.

    Args:
        out: folder of the quick start, with `pretrain/` inside.
        report: what `Quickstart.run` returned.

    Returns:
        Path of the picture.
    """
    out = Path(out)
    cfg = Config.fromfile(next((out / 'pretrain').glob('*.py')))
    dataset = _raw_dataset(cfg)
    photos = [_square(dataset[index]['img']) for index in np.linspace(0, len(dataset) - 1, NUM_PHOTOS).astype(int)]
    colours = [_colours(backbone, cfg, photos) for backbone in _pretrained_and_random(cfg, out)]
    results = report['results']
    rows = [(metric, results['random weights'][metric], value) for metric, value in results['GTSA'].items()]
    rows.append(('mIoU, best constant', report['best_constant_miou'], None))
    picture = out / 'report.png'
    report_figure(
        picture, read_scalars(out / 'pretrain'), _view_images(cfg), list(zip(photos, *colours, strict=True)), rows)
    return picture


def _raw_dataset(cfg):
    """The images that were pretrained on, without the pipeline."""
    return DATASETS.build({**cfg.train_dataloader.dataset, 'pipeline': []})


def _view_images(cfg):
    steps = pipeline_steps(cfg.train_dataloader.dataset.pipeline)
    pipeline = [step for step in steps if step['type'] != 'mmssl_geo.PackViews']
    views = DATASETS.build({**cfg.train_dataloader.dataset, 'pipeline': pipeline})[0]['views']
    return [(view_title(number, record), np.asarray(image)) for number, (image, record) in enumerate(views)]


def _square(photo):
    """Central square of a photo, `(SIDE, SIDE, 3)`."""
    image = Image.fromarray(photo)
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return np.asarray(image.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def _pretrained_and_random(cfg, out):
    """The teacher's backbone, and the same net from random weights."""
    torch.manual_seed(0)
    random = MODELS.build({**cfg.model.backbone, 'drop_path_rate': 0.})
    random.init_weights()
    pretrained = MODELS.build({**cfg.model.backbone, 'drop_path_rate': 0.})
    state = read_checkpoint((out / 'pretrain' / 'last_checkpoint').read_text().strip())['state_dict']
    prefix = 'teacher.backbone.'
    pretrained.load_state_dict({key[len(prefix):]: value for key, value in state.items() if key.startswith(prefix)})
    pretrained.eval()  # mmpretrain's backbones return nothing here
    random.eval()
    return pretrained, random


@torch.no_grad()
def _colours(backbone, cfg, photos):
    preprocessor = MODELS.build(cfg.model.data_preprocessor)
    images = torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2).float()
    features = backbone((images - preprocessor.mean) / preprocessor.std)[-1]
    return list(pca_colours(features, (SIDE, SIDE)))
