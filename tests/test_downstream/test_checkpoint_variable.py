"""CHECKPOINT in the environment names the pretrained weights of every downstream config."""

import mmseg.registry
import pytest
import torch

from mmssl_geo.utils.errors import UserError

from .conftest import CONFIGS, NARROW

# mmdet's are asked where they are built, in test_mmdet_configs.py
NAMES = sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.glob('mm*/*.py') if path.parent.name != 'mmdet')
SEGMENTER = 'mmseg/semfpn_vitt16_small_camvid-360x480.py'
OPTION = 'model.backbone.init_cfg.checkpoint'


@pytest.fixture
def build(load_config):
    def make(**options):
        cfg = load_config(
            SEGMENTER,
            **{'model.backbone.arch': {'_delete_': True, **NARROW}, 'model.neck.in_channels': [48] * 4, **options},
        )
        torch.manual_seed(0)
        return mmseg.registry.MODELS.build(cfg.model)

    return make


@pytest.fixture
def saved(build, tmp_path):
    def save(name, **edits):
        net = build().backbone
        state = {key: torch.full_like(value, 0.25) for key, value in net.state_dict().items()}
        state.update(edits)
        torch.save(dict(state_dict=state), tmp_path / name)
        return str(tmp_path / name)

    return save


@pytest.mark.parametrize('name', NAMES)
def test_every_config_takes_it(load_config, monkeypatch, name):
    monkeypatch.setenv('CHECKPOINT', '/my weights/a.pth')
    assert load_config(name).model.backbone.init_cfg.checkpoint == '/my weights/a.pth'


def test_path_is_loaded(build, saved, monkeypatch):
    monkeypatch.setenv('CHECKPOINT', saved('weights of mine.pth'))
    model = build()
    model.init_weights()
    assert all((value == 0.25).all() for value in model.backbone.state_dict().values())


@pytest.mark.parametrize('value', ['', None])
def test_without_it_the_weights_are_random(build, monkeypatch, value):
    monkeypatch.delenv('CHECKPOINT', raising=False)
    if value is not None:
        monkeypatch.setenv('CHECKPOINT', value)
    model = build()
    model.init_weights()
    assert model.backbone.layers[0].attn.qkv.weight.std().item() == pytest.approx(0.02, rel=0.05)


def test_loading_is_strict(build, saved, monkeypatch):
    path = saved('short.pth', pos_embed=torch.zeros(1, 5, 16))
    monkeypatch.setenv('CHECKPOINT', path)
    with pytest.raises(UserError, match=r'short\.pth does not fit the backbone: .*1 have another shape: pos_embed'):
        build().init_weights()


@pytest.mark.parametrize('option', ['mine.pth', ''])
def test_an_option_goes_first(build, saved, monkeypatch, option):
    monkeypatch.setenv('CHECKPOINT', '/nowhere/else.pth')
    model = build(**{OPTION: option and saved(option)})
    model.init_weights()
    assert (model.backbone.cls_token == 0.25).all().item() == bool(option)
