"""Encoders as folders in the form of the Hugging Face hub: `config.json` and `model.safetensors`, by timm's names.

timm loads them (`timm.create_model('local-dir:FOLDER', pretrained=True)`, `hf-hub:` once they are uploaded), and so
does transformers through its wrapper of timm (`AutoModel.from_pretrained(FOLDER)`).
"""
import json

from mmssl_geo.checkpoints.architecture import net_class
from mmssl_geo.checkpoints.io import write_checkpoint, write_whole
from mmssl_geo.utils.errors import UserError

WEIGHTS, CONFIG = 'model.safetensors', 'config.json'
# of 0 to 1: ImageNet's, which all pretraining here and that of the known layouts uses
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def write_hub_folder(path, weights, meta, config):
    """Writes the two files into a folder, which is made.

    Args:
        path: the folder.
        weights: timm name -> tensor.
        meta: dict of plain values, goes into the weights' file.
        config: `architecture`, `model_args`, `num_features`, `input_size`, `first_conv` and `classifier`, as timm
            means them.
    """
    preprocessing = dict(
        {key: config[key] for key in ('input_size', 'first_conv', 'classifier')}, num_classes=0, mean=MEAN, std=STD,
        interpolation='bilinear', crop_pct=1.0)
    described = dict(
        {key: config[key] for key in ('architecture', 'model_args', 'num_features')}, num_classes=0,
        pretrained_cfg=preprocessing)
    write_checkpoint(weights, path / WEIGHTS, dict(meta, format='pt'))  # transformers asks for the format
    write_whole(path / CONFIG, json.dumps(described, indent=2).encode())


def load_hub_folder(path):
    """timm's net of such a folder, loaded by timm alone."""
    create_model = net_class('timm', 'create_model')
    try:
        return create_model(f'local-dir:{path}', pretrained=True)
    except (TypeError, ValueError) as error:
        raise UserError(f'timm cannot build the net of the written folder ({error}), nothing is kept') from error
