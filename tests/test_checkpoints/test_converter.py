import copy
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmssl_geo.checkpoints import convert, resnet, vit, write_checkpoint
from mmssl_geo.utils.errors import UserError

TOOL = Path(__file__).parents[2] / 'tools' / 'convert_checkpoint.py'


def test_report(tmp_path, vit_sources, save):
    report = convert(save(vit_sources['official'][0]), tmp_path / 'a.pth', 'mmdet', num_heads=3)
    text = str(report)
    for line in (
        'official GTSA or MoCo v3 training checkpoint, teacher',
        'width 48, depth 2, 3 heads (--num-heads), hidden 96, patch 16, grid 4 x 4 (64 pixels)',
        'features at 64 x 64',
    ):
        assert line in text
    words = [line.split(maxsplit=3) for line in text.splitlines()]
    listed = {(title, what): int(count) for title, count, *_, what in words if count.isdigit()}
    renamed = {
        f'blocks.*.{old} -> layers.*.{new}': 4
        for old, new in (
            ('norm1', 'ln1'),
            ('attn.qkv', 'attn.qkv'),
            ('attn.proj', 'attn.proj'),
            ('norm2', 'ln2'),
            ('mlp.fc1', 'ffn.layers.0.0'),
            ('mlp.fc2', 'ffn.layers.1'),
        )
    }
    renamed['patch_embed.proj -> patch_embed.projection'] = 2
    dropped = {
        'base_encoder.*': 30,
        'base_projector.*': 2,
        'rot_predictor.*': 2,
        "norm: the final LayerNorm; mmdet uses the blocks' outputs": 2,
    }
    assert listed == {
        ('kept', 'cls_token'): 1,
        ('kept', 'pos_embed'): 1,
        **{('renamed', what): n for what, n in renamed.items()},
        **{('dropped', what): n for what, n in dropped.items()},
    }
    assert len(report.key_map) + len(report.final_norm_keys) + len(report.other_keys) == len(
        vit_sources['official'][0]['model']
    )


def test_sizes_compared(tmp_path, vit_sources, save):
    """Compares an oblong image too if both sides resize position embeddings equally; else the report says why not."""
    src = save(vit_sources['ours'][0])
    same = convert(src, tmp_path / 'a.pth', 'mmdet')
    assert set(same.differences) == {(64, 64), (80, 112)} and 'native size only' not in str(same)
    other = convert(src, tmp_path / 'a.pth', 'timm')
    assert set(other.differences) == {(64, 64)} and 'native size only' in str(other)


@pytest.mark.parametrize('kind, to', [('official', 'mmpretrain'), ('ours', 'timm')])
def test_wrong_rename_cannot_pass(tmp_path, vit_sources, save, monkeypatch, kind, to):
    """Swapped keys that load strictly change the features; an existing file is kept."""
    swapped = list(vit.KEY_TEMPLATES['mmpretrain'])
    swapped[3], swapped[6] = swapped[6], swapped[3]  # ln1 and ln2, of the same shape
    monkeypatch.setitem(vit.KEY_TEMPLATES, 'mmpretrain', tuple(swapped))
    (tmp_path / 'a.pth').write_text('precious')
    with pytest.raises(UserError, match='other features than the source'):
        convert(save(vit_sources[kind][0]), tmp_path / 'a.pth', to, num_heads=3)
    assert (tmp_path / 'a.pth').read_text() == 'precious'
    assert {path.name for path in tmp_path.iterdir()} == {'a.pth', 'source.pth'}


def test_file_that_does_not_load_is_not_kept(tmp_path, vit_sources, save, monkeypatch):
    monkeypatch.setattr(vit, '_DENSE_TARGETS', ('mmseg',))  # mmdet's nets treated as if they had the final norm
    monkeypatch.setattr(
        vit.ViT,
        'target_features',
        lambda self, weights, spec, target: vit.last_output(vit.mmpretrain_vit(spec, final_norm=False), weights),
    )
    with pytest.raises(UserError, match=r'(?s)do not load into the target backbone.*ln1\.weight'):
        convert(save(vit_sources['ours'][0]), tmp_path / 'a.pth', 'mmdet')
    assert [path.name for path in tmp_path.iterdir()] == ['source.pth']


@pytest.mark.parametrize('to', ['mmdet', 'timm'])
def test_resnet_with_a_swapped_norm_cannot_pass(tmp_path, resnet_sources, monkeypatch, to):
    """Two tensors of the same shape are swapped."""
    export = resnet.ResNet.export

    def swapped(*args):
        weights, names = export(*args)
        one, two = 'layer4.1.bn1.running_mean', 'layer4.1.bn2.running_mean'
        return {**weights, one: weights[two], two: weights[one]}, names

    monkeypatch.setattr(resnet.ResNet, 'export', swapped)
    with pytest.raises(UserError, match='other features than the source'):
        convert(resnet_sources['ours'].path, tmp_path / 'a.pth', to)
    assert not list(tmp_path.iterdir())


def test_report_of_a_resnet(tmp_path, resnet_sources):
    text = str(convert(resnet_sources['old torchvision encoder'].path, tmp_path / 'a.pth', 'mmdet'))
    for line in (
        'single encoder with the keys of torchvision, encoder',
        'network  ResNet-18, stem of 64 channels, stages of base width 64, last map of 512 channels',
        'kept        1 x conv1\n',
        'kept        4 x bn1\n',
        'kept       20 x layer1.*',
        'added       4 x layer1.*: zero, missing in the source',
        'dropped     2 x fc.*',
        'features at 64 x 64',
        'features at 75 x 106',
    ):
        assert line in text
    assert 'native size only' not in text and 'LayerNorm' not in text


def test_dropped_mask_tokens_and_heads_are_reported(tmp_path, vit_sources, save):
    for kind, lines in (
        (
            'iBOT',
            (
                'iBOT or denseSSL training checkpoint',
                '1 x teacher/backbone.masked_embed',
                '31 x student/backbone.*',
                '2 x teacher/head.*',
                '1 x ibot_loss/center',
            ),
        ),
        ('iBOT encoder', ('single encoder with the keys of timm', '1 x masked_embed')),
        ('timm encoder', ('2 x head.*',)),
    ):
        text = str(convert(save(vit_sources[kind][0]), tmp_path / 'a.pth', 'timm', num_heads=3))
        for line in lines:
            assert line in text


def test_wrong_requests(tmp_path, vit_sources, resnet_sources, save):
    src = save(vit_sources['ours'][0])
    with pytest.raises(UserError, match='is the source itself'):
        convert(src, src, 'mmdet')
    with pytest.raises(UserError, match=r'\.pth or \.safetensors'):
        convert(src, tmp_path / 'a.onnx', 'mmdet')
    with pytest.raises(UserError, match="to 'mmcls'"):
        convert(src, tmp_path / 'a.pth', 'mmcls')
    with pytest.raises(UserError, match="not 'ema'"):
        convert(src, tmp_path / 'a.pth', 'mmdet', 'ema')
    with pytest.raises(UserError, match='no such file'):
        convert(tmp_path / 'none.pth', tmp_path / 'a.pth', 'mmdet')
    with pytest.raises(UserError, match='for vision transformers; this is a ResNet'):
        convert(resnet_sources['ours'].path, tmp_path / 'a.pth', 'mmdet', patch_size=16)
    (tmp_path / 'dir.pth').mkdir()
    with pytest.raises(UserError, match='cannot write'):
        convert(src, tmp_path / 'dir.pth', 'mmdet')


@pytest.mark.parametrize('name', ['file/a.pth', 'file/deeper/a.pth', 'a' * 250 + '.pth'])
def test_places_that_cannot_be_written_to(tmp_path, vit_sources, save, name):
    """The parent is a file, or the name is too long for the temporary file."""
    src = save(vit_sources['ours'][0])
    (tmp_path / 'file').write_text('precious')
    why = 'is a file, not a folder' if name.startswith('file') else 'File name too long'
    with pytest.raises(UserError, match=f'^cannot write .*{why}'):
        convert(src, tmp_path / name, 'mmdet')
    with pytest.raises(UserError, match='^cannot write .*(File exists|Not a directory|File name too long)$'):
        write_checkpoint(dict(a=torch.ones(1)), tmp_path / name, {})
    assert {path.name for path in tmp_path.iterdir()} == {'file', 'source.pth'}


@pytest.mark.parametrize(
    'kind, key, named',
    [
        ('DINO', 'blocks.1.norm2.weight', r'teacher/backbone\.blocks\.1\.norm2\.weight'),
        ('ours', 'layers.0.attn.qkv.bias', r'teacher\.backbone\.layers\.0\.attn\.qkv\.bias'),
        ('timm encoder', 'pos_embed', 'pos_embed'),
    ],
)
def test_broken_weights_are_named(tmp_path, vit_sources, save, kind, key, named):
    contents = copy.deepcopy(vit_sources[kind][0])
    state = contents['teacher'] if kind == 'DINO' else contents.get('state_dict', contents)
    prefix = {'DINO': 'backbone.', 'ours': 'teacher.backbone.'}.get(kind, '')
    state[prefix + key].view(-1)[5] = float('nan')
    with pytest.raises(UserError, match=rf'checkpoint .*source\.pth: {named} has values that are not finite'):
        convert(save(contents), tmp_path / 'a.pth', 'mmdet', num_heads=3)
    assert not (tmp_path / 'a.pth').exists()


def test_broken_statistics_of_a_resnet_are_named(tmp_path, resnet_sources, save):
    state = resnet_sources['denseSSL'].teacher.state_dict()
    broken = {**state, 'layer2.0.bn1.running_var': state['layer2.0.bn1.running_var'] / 0}
    source = save(dict(student={}, teacher={f'module.backbone.{key}': value for key, value in broken.items()}))
    with pytest.raises(UserError, match=r'teacher/backbone\.layer2\.0\.bn1\.running_var has values'):
        convert(source, tmp_path / 'a.pth', 'timm')


def test_code_needs_permission(tmp_path, vit_sources, save):
    contents = dict(vit_sources['ours'][0], hook=torch.nn.ReLU())
    with pytest.raises(UserError, match='torch.nn.modules.activation.ReLU.*--allow-unsafe'):
        convert(save(contents), tmp_path / 'a.pth', 'mmdet')
    convert(tmp_path / 'source.pth', tmp_path / 'a.pth', 'mmdet', allow_code=True)
    assert (tmp_path / 'a.pth').exists()


def test_command_line(tmp_path, vit_sources, save, monkeypatch, capsys):
    command = [str(TOOL), str(save(vit_sources['official'][0])), str(tmp_path / 'a.pth'), '--to', 'mmseg']
    refused = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    assert refused.returncode == 1 and 'Traceback' not in refused.stderr
    assert '--num-heads' in refused.stderr and not (tmp_path / 'a.pth').exists()
    monkeypatch.setattr(sys, 'argv', [*command, '--num-heads', '3', '--weights', 'student'])
    with pytest.raises(SystemExit) as done:
        runpy.run_path(str(TOOL), run_name='__main__')
    assert done.value.code == 0
    assert 'prefix   base_encoder. removed' in capsys.readouterr().out and (tmp_path / 'a.pth').exists()


@pytest.mark.parametrize(
    'to, module',
    [('timm', 'timm.models.resnet'), ('mmdet', 'mmdet.models.backbones'), ('mmseg', 'mmseg.models.backbones')],
)
def test_missing_package_is_named(tmp_path, resnet_sources, monkeypatch, to, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=f'needs {module}, which is not installed'):
        convert(resnet_sources['ours'].path, tmp_path / 'a.pth', to)
    assert not list(tmp_path.iterdir())
