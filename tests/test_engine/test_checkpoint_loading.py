"""Every way in which mmengine loads a file: safe, strict about its format, and the same for all formats."""

import os
import urllib.request

import pytest
import torch
from mmdet.models.backbones import ResNet
from mmengine.config import ConfigDict
from mmengine.runner import CheckpointLoader, load_checkpoint
from mmseg.models.decode_heads import FPNHead
from safetensors.torch import save_file

from mmssl_geo.engine import install_safe_loaders
from mmssl_geo.engine.hooks.strict_load_hook import StrictLoadHook
from mmssl_geo.utils.errors import UserError

HEAD = dict(
    feature_strides=[1],
    in_channels=[8],
    in_index=[0],
    channels=8,
    num_classes=2,
    loss_decode=dict(type='mmseg.CrossEntropyLoss'),
)


class Malicious:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def evil(tmp_path):
    torch.save(dict(state_dict=dict(weight=torch.ones(1)), payload=Malicious(tmp_path / 'trap')), tmp_path / 'evil.pth')
    yield tmp_path / 'evil.pth'
    assert not (tmp_path / 'trap').exists(), 'code of the file was run'


@pytest.fixture
def code_allowed():
    install_safe_loaders(allow_code=True)
    yield
    install_safe_loaders()


def pretrained(path):
    return dict(type='Pretrained', checkpoint=str(path))


@pytest.mark.parametrize(
    'build',
    [
        lambda init_cfg: ResNet(18, init_cfg=init_cfg),
        lambda init_cfg: ResNet(18, init_cfg=[init_cfg]),
        lambda init_cfg: FPNHead(**HEAD, init_cfg=init_cfg),
    ],
)
def test_parts_of_a_model_do_not_run_code(evil, build):
    with pytest.raises(UserError, match=r'evil\.pth: reading it would run code'):
        build(ConfigDict(pretrained(evil))).init_weights()


def test_load_checkpoint_does_not_run_code(evil):
    with pytest.raises(UserError, match='reading it would run code'):
        load_checkpoint(torch.nn.Linear(1, 1), str(evil))


def test_every_scheme_is_replaced(evil):
    for scheme, loader in CheckpointLoader._schemes.items():
        assert loader.func.__module__ == 'mmssl_geo.engine.checkpoint_loading', scheme
    with pytest.raises(UserError, match='s3://bucket/a.pth: this storage is not supported; copy the file'):
        CheckpointLoader.load_checkpoint('s3://bucket/a.pth')
    with pytest.raises(UserError, match='the model zoo has no resnet9999'):
        CheckpointLoader.load_checkpoint('torchvision://resnet9999')


def test_downloads_are_read_safely(evil, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))

    def download(url, path, *_, **__):
        if 'gone' in url:
            raise urllib.error.URLError('not found')
        with open(path, 'wb') as file:
            file.write(evil.read_bytes())

    monkeypatch.setattr(torch.hub, 'download_url_to_file', download)
    with pytest.raises(UserError, match='reading it would run code'):
        CheckpointLoader.load_checkpoint('https://host/evil.pth')
    with pytest.raises(UserError, match='https://host/gone.pth: cannot be downloaded'):
        CheckpointLoader.load_checkpoint('https://host/gone.pth')


def test_code_runs_only_on_demand(evil, tmp_path, code_allowed):
    CheckpointLoader.load_checkpoint(str(evil))
    (tmp_path / 'trap').rmdir()  # was made, so the fixture's file would have worked
    StrictLoadHook().before_run(type('Runner', (), dict(model=torch.nn.Linear(1, 1)))())
    with pytest.raises(UserError, match='reading it would run code'):
        CheckpointLoader.load_checkpoint(str(evil))


def test_safetensors_and_wrapped_keys(tmp_path):
    net, copy = ResNet(18), ResNet(18)
    with torch.no_grad():
        net.conv1.weight.fill_(0.5)
    state = {f'module._orig_mod.{key}': value.clone() for key, value in net.state_dict().items()}
    save_file(state, tmp_path / 'net.safetensors')
    torch.save(dict(state_dict=state), tmp_path / 'net.pth')
    for name in ('net.safetensors', 'net.pth'):
        torch.nn.init.zeros_(copy.conv1.weight)
        load_checkpoint(copy, str(tmp_path / name), strict=True)
        assert torch.equal(copy.conv1.weight, net.conv1.weight)


@pytest.mark.parametrize(
    'contents, message',
    [
        (dict(state_dict=[1]), 'state_dict holds a list, not weights by key'),
        (dict(state_dict={3: torch.ones(1)}), 'state_dict has the key 3, but the keys must be text'),
    ],
)
def test_malformed_state_dicts(tmp_path, contents, message):
    torch.save(contents, tmp_path / 'a.pth')
    with pytest.raises(UserError, match=message):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))


@pytest.mark.parametrize('damage', [dict(optimizer=None), dict(meta=dict(epoch=1)), dict(message_hub=3)])
def test_weights_alone_cannot_be_resumed(damage):
    runner = type('Runner', (), dict(_resume=True, _load_from='a.pth', work_dir='w', model=torch.nn.Linear(1, 1)))()
    whole = dict(state_dict={}, optimizer={}, message_hub={}, meta=dict(epoch=1, iter=3))
    with pytest.raises(UserError, match=r'a\.pth cannot be resumed: it lacks .*load_from=a\.pth'):
        StrictLoadHook().after_load_checkpoint(runner, {**whole, **damage})
