"""Mistakes in a pipeline are told when the dataset is built."""
import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmssl_geo.datasets import ImageListDataset, pipeline_steps
from mmssl_geo.utils.errors import UserError
from tests.support import ROOT


@pytest.fixture
def build(tmp_path, default_scope):
    """The training set of a shipped config, without its data, with options as on the command line."""
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / 'a.png')

    def build_dataset(config, **options):
        cfg = Config.fromfile(ROOT / config)
        if 'regions' in cfg.train_dataloader.dataset.pipeline:  # needs a file of proposals
            cfg.train_dataloader.dataset.pipeline.regions = None
        cfg.merge_from_dict({f'train_dataloader.dataset.pipeline.{key}': value for key, value in options.items()})
        return ImageListDataset(str(tmp_path), pipeline=cfg.train_dataloader.dataset.pipeline)

    return build_dataset


CONFIGS = ['configs/gtsa_vits16_coco.py', 'configs/d3ssl_r50_coco.py']


@pytest.mark.parametrize('config', CONFIGS)
def test_a_step_after_the_packing_step(build, config):
    build(config)
    with pytest.raises(UserError, match='step mirror comes after pack, which has to be the last .*before it in a conf'):
        build(config, **{'mirror.type': 'mmssl_geo.RandomHorizontalFlips'})


def test_a_step_after_the_packing_step_in_a_list(tmp_path, build):
    steps = [dict(type='mmssl_geo.MultiCrop'), dict(type='mmssl_geo.PackViews'), lambda sample: sample]
    with pytest.raises(UserError, match='step 2 comes after 1, which'):
        ImageListDataset(str(tmp_path), pipeline=steps)
    dataset = ImageListDataset(str(tmp_path), pipeline=[steps[0], None, steps[2], steps[1], None])
    assert len(dataset.pipeline.transforms) == 3


@pytest.mark.parametrize('value', [False, True, 'none', 0])
def test_a_step_is_a_config_or_none(build, value):
    with pytest.raises(UserError, match=f'step turns of the pipeline must be .* None to leave it out, got {value!r}'):
        build(CONFIGS[0], turns=value)
    with pytest.raises(UserError, match='step 1 of the pipeline'):
        pipeline_steps([dict(type='mmssl_geo.MultiCrop'), value])
    assert len(build(CONFIGS[0], turns=None).pipeline.transforms) == 3
