"""Test-time augmentation of a downstream config."""

from collections.abc import Iterator

from mmengine.config import Config, ConfigDict

from mmssl_geo.utils.errors import UserError


def enable_tta(cfg: Config) -> None:
    """Evaluates a config with its `tta_model` and `tta_pipeline`, as `--tta` of OpenMMLab's tools does.

    Args:
        cfg: Config of mmdet, mmseg or mmpretrain; is changed in place.

    Raises:
        UserError: If the config has no `tta_model` or `tta_pipeline`.
    """
    missing = [name for name in ('tta_model', 'tta_pipeline') if name not in cfg]
    if missing:
        raise UserError(f'--tta: config {cfg.filename} has no {" and no ".join(missing)}')
    for dataset in _leaves(cfg.test_dataloader.dataset):
        dataset.pipeline = cfg.tta_pipeline
    cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)


def _leaves(dataset: ConfigDict) -> Iterator[ConfigDict]:
    """Yields the data sets inside wrappers such as ConcatDataset."""
    inner = dataset.get('datasets') or ([dataset.dataset] if 'dataset' in dataset else [])
    for one in inner:
        yield from _leaves(one)
    if not inner:
        yield dataset
