"""Encoders as folders in the format of the Hugging Face Hub: `config.json` and `model.safetensors` with timm's keys.

timm loads them with `timm.create_model('local-dir:FOLDER', pretrained=True)` (`hf-hub:` after an upload), and
transformers through its wrapper of timm, `AutoModel.from_pretrained(FOLDER)`.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from mmssl_geo.checkpoints.architecture import import_class
from mmssl_geo.checkpoints.io import write_checkpoint
from mmssl_geo.utils.constants import IMAGENET_MEAN, IMAGENET_STD
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import write_bytes

WEIGHTS_FILE, CONFIG_FILE = 'model.safetensors', 'config.json'
# timm normalises images of 0 to 1. Rounded: 0.485, not 0.48500000000000004.
MEAN, STD = (tuple(round(value / 255, 3) for value in values) for values in (IMAGENET_MEAN, IMAGENET_STD))


def write_hub_folder(
    path: Path, weights: Mapping[str, Tensor], meta: Mapping[str, Any], config: Mapping[str, Any]
) -> None:
    """Writes the two files into a folder, which is created.

    Args:
        path: The folder.
        weights: Tensors by timm's keys.
        meta: Plain values for the metadata of the weights file.
        config: timm's `architecture`, `model_args`, `num_features`, `input_size`, `first_conv` and `classifier`.
    """
    pretrained_cfg = dict(
        {key: config[key] for key in ('input_size', 'first_conv', 'classifier')},
        num_classes=0,
        mean=MEAN,
        std=STD,
        interpolation='bilinear',
        crop_pct=1.0,
    )
    content = dict(
        {key: config[key] for key in ('architecture', 'model_args', 'num_features')},
        num_classes=0,
        pretrained_cfg=pretrained_cfg,
    )
    write_checkpoint(weights, path / WEIGHTS_FILE, dict(meta, format='pt'))  # transformers requires the format
    write_bytes(path / CONFIG_FILE, json.dumps(content, indent=2).encode())


def load_hub_folder(path: str | os.PathLike) -> nn.Module:
    """Loads the network of such a folder with timm alone.

    Raises:
        UserError: If timm cannot build the network.
    """
    create_model = import_class('timm', 'create_model')
    try:
        return create_model(f'local-dir:{path}', pretrained=True)
    except (TypeError, ValueError) as error:
        raise UserError(f'timm cannot build the network of the folder ({error}), so nothing is written') from error
