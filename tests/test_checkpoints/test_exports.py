"""Exports that other libraries load: Hugging Face folders and ONNX files."""

import json
import runpy
import sys

import pytest
import torch
from safetensors import safe_open

from mmssl_geo.checkpoints import convert, load_encoder, networks, vit
from mmssl_geo.checkpoints.formats import onnx as onnx_format
from mmssl_geo.utils.errors import UserError
from tests.support import ROOT
from tests.support import checkpoints as make

IMAGES = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(7))
OBLONG = torch.randn(2, 3, 64, 97, generator=torch.Generator().manual_seed(8))


@pytest.mark.parametrize('kind', ['ours', 'official', 'DINO', 'iBOT encoder'])
def test_timm_loads_the_folder_of_a_vit(tmp_path, vit_sources, save, kind):
    import timm

    contents, _, teacher = vit_sources[kind]
    convert(save(contents), tmp_path / 'hub', 'huggingface', num_heads=3)
    assert {path.name for path in (tmp_path / 'hub').iterdir()} == {'config.json', 'model.safetensors'}
    with safe_open(tmp_path / 'hub' / 'model.safetensors', 'pt') as file:
        assert file.metadata()['format'] == 'pt'  # transformers requires it
    net = timm.create_model(f'local-dir:{tmp_path / "hub"}', pretrained=True)
    assert not isinstance(net.eval(), torch.nn.Identity) and net.num_classes == 0
    assert make.difference(make.tokens(net, IMAGES), make.tokens(teacher, IMAGES)) < 1e-5
    data = timm.data.resolve_model_data_config(net)
    assert data['input_size'] == (3, 64, 64) and data['crop_pct'] == 1
    assert torch.allclose(torch.tensor(data['mean']) * 255, torch.tensor([123.675, 116.28, 103.53]))
    assert torch.allclose(torch.tensor(data['std']) * 255, torch.tensor([58.395, 57.12, 57.375]))


@pytest.mark.parametrize('kind', ['ours', 'DINO'])
def test_timm_loads_the_folder_of_a_resnet(tmp_path, resnet_sources, kind):
    import timm

    convert(resnet_sources[kind].path, tmp_path / 'hub', 'huggingface')
    net = timm.create_model(f'local-dir:{tmp_path / "hub"}', pretrained=True, features_only=True, out_indices=(1, 4))
    net = net.double().eval()
    maps = make.stage_maps(resnet_sources[kind].teacher, OBLONG)
    with torch.no_grad():
        for ours, theirs in zip(net(OBLONG.double()), (maps[0], maps[3]), strict=True):
            assert make.difference(ours, theirs) < 1e-9


def test_the_file_in_the_folder_can_be_converted_again(tmp_path, vit_sources, save):
    convert(save(vit_sources['official'][0]), tmp_path / 'hub', 'huggingface', num_heads=3)
    encoder = load_encoder(tmp_path / 'hub' / 'model.safetensors')
    with torch.no_grad():
        found = encoder.net(IMAGES)[-1].flatten(2).transpose(1, 2)
    assert make.difference(found, make.tokens(vit_sources['official'][2], IMAGES)[:, 1:]) < 1e-5


def test_a_folder_with_a_wrong_config_is_not_kept(tmp_path, vit_sources, save, monkeypatch):
    """The comparison runs the network of the folder, so it finds a wrong number of heads."""
    true_config = vit.ViT.timm_config

    def wrong(self, spec):
        config = true_config(self, spec)
        return dict(config, model_args=dict(config['model_args'], num_heads=6))

    monkeypatch.setattr(vit.ViT, 'timm_config', wrong)
    with pytest.raises(UserError, match='other features than the source'):
        convert(save(vit_sources['ours'][0]), tmp_path / 'hub', 'huggingface')
    assert [path.name for path in tmp_path.iterdir()] == ['source.pth']


def test_where_folders_are_written(tmp_path, vit_sources, save):
    src = save(vit_sources['ours'][0])
    (tmp_path / 'empty').mkdir()
    convert(src, tmp_path / 'empty', 'huggingface')
    config = json.loads((tmp_path / 'empty' / 'config.json').read_text())
    assert config['model_args']['num_heads'] == 3 and config['num_features'] == 48
    with pytest.raises(UserError, match='empty: it exists already; name a new or an empty folder'):
        convert(src, tmp_path / 'empty', 'huggingface')
    with pytest.raises(UserError, match=r'a\.pth: --to huggingface writes a folder; give it a name without \.pth'):
        convert(src, tmp_path / 'a.pth', 'huggingface')
    assert {path.name for path in tmp_path.iterdir()} == {'empty', 'source.pth'}


def test_files_without_the_final_norm_are_refused(tmp_path, vit_sources, save):
    convert(save(vit_sources['ours'][0]), tmp_path / 'dense.pth', 'mmdet')
    with pytest.raises(UserError, match='no final LayerNorm .*which huggingface needs'):
        convert(tmp_path / 'dense.pth', tmp_path / 'hub', 'huggingface')


@pytest.mark.parametrize('missing', [('onnx',), ('onnxruntime',), ('onnx', 'onnxruntime')])
def test_missing_packages_are_named_before_anything_is_read(tmp_path, monkeypatch, missing):
    monkeypatch.setattr(onnx_format.importlib.util, 'find_spec', lambda name: None if name in missing else 'there')
    with pytest.raises(UserError, match=rf'--to onnx needs {" and ".join(missing)}, which .* not installed: pip '):
        convert(tmp_path / 'none.pth', tmp_path / 'a.onnx', 'onnx')


def test_wrong_suffix_for_onnx(tmp_path):
    with pytest.raises(UserError, match=r'a\.pth: the file name must end in \.onnx'):
        convert(tmp_path / 'none.pth', tmp_path / 'a.pth', 'onnx')


def outputs_of(path, images):
    """name -> output tensor, by onnxruntime."""
    session = pytest.importorskip('onnxruntime').InferenceSession(str(path), providers=['CPUExecutionProvider'])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, map(torch.from_numpy, session.run(None, {'images': images.numpy()})), strict=True))


@pytest.mark.parametrize('kind', ['ours', 'official', 'DINO'])
def test_onnx_file_of_a_vit(tmp_path, vit_sources, save, kind):
    pytest.importorskip('onnx')
    contents, _, teacher = vit_sources[kind]
    report = convert(save(contents), tmp_path / 'a.onnx', 'onnx', num_heads=3)
    assert 'the ONNX file of a ViT takes no other size' in str(report)
    found, tokens = outputs_of(tmp_path / 'a.onnx', IMAGES), make.tokens(teacher, IMAGES)
    assert set(found) == {'cls', 'map'} and found['map'].shape == (3, 48, 4, 4)
    assert make.difference(found['cls'], tokens[:, 0]) < 1e-4
    for row, column in ((0, 0), (1, 3), (3, 2)):
        assert make.difference(found['map'][:, :, row, column], tokens[:, 1 + 4 * row + column]) < 1e-4


def test_onnx_file_of_a_resnet_takes_any_size(tmp_path, resnet_sources):
    pytest.importorskip('onnx')
    convert(resnet_sources['ours'].path, tmp_path / 'a.onnx', 'onnx')
    found = outputs_of(tmp_path / 'a.onnx', OBLONG)
    for name, theirs in zip(
        ('c2', 'c3', 'c4', 'c5'), make.stage_maps(resnet_sources['ours'].teacher, OBLONG), strict=True
    ):
        assert make.difference(found[name], theirs) < 1e-4


def test_onnx_file_with_other_features_is_not_kept(tmp_path, vit_sources, save, monkeypatch):
    pytest.importorskip('onnx')
    pytest.importorskip('onnxruntime')
    forward = networks.ClsAndMap.forward
    monkeypatch.setattr(
        networks.ClsAndMap,
        'forward',
        lambda self, images: (forward(self, images)[0], forward(self, images)[1].transpose(2, 3)),
    )
    with pytest.raises(UserError, match='other features than the source'):
        convert(save(vit_sources['ours'][0]), tmp_path / 'a.onnx', 'onnx')
    assert [path.name for path in tmp_path.iterdir()] == ['source.pth']


def test_command_line(tmp_path, vit_sources, save, monkeypatch, capsys):
    monkeypatch.setattr(
        sys, 'argv', ['convert', str(save(vit_sources['ours'][0])), str(tmp_path / 'hub'), '--to', 'huggingface']
    )
    with pytest.raises(SystemExit) as done:
        runpy.run_path(str(ROOT / 'tools' / 'convert_checkpoint.py'), run_name='__main__')
    assert done.value.code == 0
    assert f'{tmp_path / "hub"}: for huggingface' in capsys.readouterr().out
