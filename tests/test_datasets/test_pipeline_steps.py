"""The order of a pipeline's steps, and mistakes in it, which are reported when the dataset is built."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmssl_geo.datasets import ImageListDataset, RandomHorizontalFlips, Stage, pipeline_steps
from mmssl_geo.registry import TRANSFORMS
from mmssl_geo.utils.errors import UserError
from tests.support import ROOT

CONFIGS = ['configs/gtsa_vits16_coco.py', 'configs/d3ssl_r50_coco.py']
PRETRAIN = sorted(path.name for path in (ROOT / 'configs').glob('*.py'))


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


@TRANSFORMS.register_module(force=True)
class NoStageForTest:
    """A transform that declares no stage, as those of other packages."""

    def __call__(self, results):
        return results


NO_STAGE = dict(type='mmssl_geo.NoStageForTest')


def named(**steps):
    """Steps that all have the same stage but for the given keys; their `size` is their name."""
    return {name: dict(type='mmssl_geo.MultiCrop', size=name, **keys) for name, keys in steps.items()}


def order(pipeline):
    return [step['size'] for step in pipeline_steps(pipeline)]


def sorted_keys(value):
    """As `Config.dump` writes a config: the keys of all dicts sorted."""
    return {key: sorted_keys(value[key]) for key in sorted(value)} if isinstance(value, dict) else value


def reversed_keys(value):
    return {key: reversed_keys(value[key]) for key in reversed(value)} if isinstance(value, dict) else value


@pytest.mark.parametrize('name', PRETRAIN)
def test_every_shipped_pipeline_runs_as_written_however_its_keys_are_sorted(name, default_scope):
    pipeline = Config.fromfile(ROOT / 'configs' / name).train_dataloader.dataset.pipeline.to_dict()
    nested = {key: step['steps'] for key, step in pipeline.items() if step and 'steps' in step}
    for written in (pipeline, *nested.values()):
        expected = [step for step in written.values() if step]
        assert pipeline_steps(written) == expected
        assert pipeline_steps(sorted_keys(written)) == expected
        assert pipeline_steps(reversed_keys(written)) == expected


@pytest.mark.parametrize('config', ['gtsa_quickstart', 'd3ssl_quickstart'])
def test_samples_of_a_dumped_config_are_the_same(config, tmp_path, default_scope):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)).save(tmp_path / 'a.png')
    cfg = Config.fromfile(ROOT / f'configs/{config}.py')
    cfg.dump(tmp_path / 'dumped.py')
    dumped = Config.fromfile(tmp_path / 'dumped.py')
    names = list(cfg.train_dataloader.dataset.pipeline)
    assert list(dumped.train_dataloader.dataset.pipeline) == sorted(names) != names
    samples = [
        ImageListDataset(str(tmp_path), pipeline=read.train_dataloader.dataset.pipeline)[0, 3] for read in (cfg, dumped)
    ]
    for key, value in samples[0].items():
        for part in value if isinstance(value, dict) else ():
            assert torch.equal(value[part], samples[1][key][part])
        if not isinstance(value, dict):
            assert np.array_equal(value, samples[1][key])


@pytest.mark.parametrize('config', CONFIGS)
def test_a_step_added_to_an_inherited_pipeline_runs_in_its_stage(build, config):
    steps = build(config, **{'mirror.type': 'mmssl_geo.RandomHorizontalFlips'}).pipeline.transforms
    kinds = [type(step).__name__ for step in steps]
    assert kinds.index('RandomHorizontalFlips') == 1 and kinds[0] in ('MultiCrop', 'RegionViews')


def test_an_added_step_runs_where_it_is_placed(build):
    def kinds(**place):
        options = {'mirror.type': 'mmssl_geo.NoStageForTest', **{f'mirror.{key}': place[key] for key in place}}
        return [
            type(step).__name__.replace('NoStageForTest', '*')
            for step in build(CONFIGS[0], **options).pipeline.transforms
        ]

    steps = ['MultiCrop', 'MultiViewPhotometricAugmentation', 'RandomQuarterTurns', 'PackViews']
    assert kinds(before='pack') == [*steps[:3], '*', *steps[3:]]
    assert kinds(after='crop') == [*steps[:1], '*', *steps[1:]]
    assert kinds(before='crop') == ['*', *steps]
    with pytest.raises(UserError, match="mirror of the pipeline comes after pack, which must be .*before='pack'"):
        kinds(after='pack')


def test_places_hold_and_ties_are_broken_by_name():
    assert order(named(b={}, c={}, a={})) == ['a', 'b', 'c']
    assert order(named(a=dict(after='b'), b={}, c={})) == ['b', 'a', 'c']
    chain = named(a=dict(before='z'), b=dict(after='z'), y=dict(before='a'), z={}, c=dict(after='z'))
    assert order(chain) == ['y', 'a', 'z', 'b', 'c']
    assert all('after' not in step and 'before' not in step for step in pipeline_steps(chain))
    assert chain['b']['after'] == 'z', 'the config stays as it is'


@pytest.mark.parametrize(
    'steps,message',
    [
        (named(a=dict(after='q'), b={}), "step a of .*: after='q' names no other step of it; the others are b$"),
        (named(a=dict(after='a')), "step a of .*: after='a' names no other step of it; the others are none"),
        (dict(named(a=dict(after='b')), b=None, c=dict(type='mmssl_geo.MultiCrop')), "after='b' .*; the others are c$"),
        (named(a=dict(after='b', before='c'), b={}, c={}), 'step a of the pipeline has both `before` and `after`'),
        (
            named(a=dict(after='b'), b=dict(before='a'), c={}),
            'the steps a, b of .* are placed only relative to each other',
        ),
        (dict(a=NO_STAGE, **named(b={})), "step a of the pipeline has no place: .*pipeline.a.before='pack'"),
        (dict(a=lambda sample: sample), 'step a of the pipeline has no place'),
        (
            dict(a=dict(type='mmssl_geo.Unknown')),
            "step a of the pipeline: no transform is registered as 'mmssl_geo.Unkn",
        ),
        (dict(a=dict(size=3)), 'step a of the pipeline: no transform is registered as None'),
    ],
)
def test_impossible_places(steps, message, default_scope):
    with pytest.raises(UserError, match=message):
        pipeline_steps(steps)


def test_a_list_keeps_its_order(tmp_path, build):
    steps = [dict(type='mmssl_geo.MultiCrop'), dict(type='mmssl_geo.PackViews'), lambda sample: sample]
    with pytest.raises(UserError, match='step 2 of the pipeline comes after 1, which must be the last: move it before'):
        ImageListDataset(str(tmp_path), pipeline=steps)
    dataset = ImageListDataset(str(tmp_path), pipeline=[steps[0], None, steps[2], steps[1], None])
    assert len(dataset.pipeline.transforms) == 3
    flips = RandomHorizontalFlips()
    assert pipeline_steps([steps[2], flips, NO_STAGE, steps[0]]) == [steps[2], flips, NO_STAGE, steps[0]]


@pytest.mark.parametrize('value', [False, True, 'none', 0])
def test_a_step_is_a_config_or_none(build, value):
    with pytest.raises(UserError, match=f'step turns of the pipeline must be .* None to remove it, got {value!r}'):
        build(CONFIGS[0], turns=value)
    with pytest.raises(UserError, match='step 1 of the pipeline'):
        pipeline_steps([dict(type='mmssl_geo.MultiCrop'), value])
    assert len(build(CONFIGS[0], turns=None).pipeline.transforms) == 3


def test_every_transform_of_this_package_declares_a_stage():
    import mmssl_geo.datasets.transforms as transforms

    for name in transforms.__all__:
        assert isinstance(getattr(transforms, name).stage, Stage), name
