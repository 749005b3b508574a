import copy
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmssl_geo.convert import convert, layouts, read_checkpoint
from mmssl_geo.errors import UserError

IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(7))
TOOL = Path(__file__).parents[2] / 'tools' / 'convert_checkpoint.py'


def tokens(net, final_norm=True):
    """(2, 17, 48) tokens of the last block by the net's own forward pass, with or without its final norm."""
    net = copy.deepcopy(net)
    if hasattr(net, 'forward_features'):
        if not final_norm:
            net.norm = torch.nn.Identity()
        forward = net.forward_features
    else:
        net.final_norm = final_norm

        def forward(images):
            return net(images)[-1]
    with torch.no_grad():
        return forward(IMAGES)


def save(tmp_path, contents):
    torch.save(contents, tmp_path / 'source.pth')
    return tmp_path / 'source.pth'


@pytest.mark.parametrize('weights', ['teacher', 'student'])
@pytest.mark.parametrize('to, name', [('mmpretrain', 'a.pth'), ('mmpretrain', 'a.safetensors'), ('mmdet', 'a.pth'),
                                      ('mmseg', 'a.safetensors'), ('timm', 'a.pth'), ('timm', 'a.safetensors')])
@pytest.mark.parametrize('kind', ['ours', 'official', 'official, wrapped', 'mmpretrain encoder', 'timm encoder'])
def test_target_gives_the_features_of_the_source(tmp_path, sources, nets, kind, to, name, weights):
    contents, student, teacher = sources[kind]
    convert(save(tmp_path, contents), tmp_path / name, to, weights, num_heads=3)
    written = read_checkpoint(tmp_path / name)
    dense = to in ('mmdet', 'mmseg')
    net = nets.timm(9) if to == 'timm' else nets.mmpretrain(9, final_norm=not dense)
    net.load_state_dict(written['state_dict'], strict=True)
    expected = tokens(teacher if weights == 'teacher' else student, not dense)
    difference = (tokens(net, not dense) - expected).abs().max() / expected.abs().max()
    assert difference < 1e-5
    facts = {key: int(written['meta'][key]) for key in ('num_heads', 'patch_size', 'embed_dims')}
    assert facts == dict(num_heads=3, patch_size=16, embed_dims=48)


def test_loaders_of_the_packages_take_the_files(tmp_path, sources, nets):
    """mmengine's `Pretrained` without a prefix, and timm's own loader."""
    from timm.models import load_checkpoint
    src = save(tmp_path, sources['ours'][0])
    convert(src, tmp_path / 'mm.pth', 'mmpretrain')
    net = nets.mmpretrain(9)
    net.init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'mm.pth'))
    net.init_weights()
    assert torch.equal(tokens(net), tokens(sources['ours'][2]))
    for name in ('timm.pth', 'timm.safetensors'):
        convert(src, tmp_path / name, 'timm')
        net = nets.timm(9)
        load_checkpoint(net, str(tmp_path / name), strict=True)
        torch.testing.assert_close(tokens(net), tokens(sources['ours'][2]), rtol=0, atol=1e-4)


def test_report_tells_all(tmp_path, sources):
    report = convert(save(tmp_path, sources['official'][0]), tmp_path / 'a.pth', 'mmdet', num_heads=3)
    text = str(report)
    for line in ('official GTSA training checkpoint, teacher', 'width 48, depth 2, 3 heads (--num-heads), hidden 96, '
                 'patch 16, grid 4 x 4 (64 pixels)', 'features at 64 x 64'):
        assert line in text
    words = [line.split(maxsplit=3) for line in text.splitlines()]
    listed = {(title, what): int(count) for title, count, *_, what in words if count.isdigit()}
    renamed = {f'blocks.*.{old} -> layers.*.{new}': 4 for old, new in (
        ('norm1', 'ln1'), ('attn.qkv', 'attn.qkv'), ('attn.proj', 'attn.proj'), ('norm2', 'ln2'),
        ('mlp.fc1', 'ffn.layers.0.0'), ('mlp.fc2', 'ffn.layers.1'))}
    renamed['patch_embed.proj -> patch_embed.projection'] = 2
    dropped = {'base_encoder.*': 30, 'base_projector.*': 2, 'rot_predictor.*': 2,
               "norm: the final LayerNorm; mmdet takes the blocks' outputs": 2}
    assert listed == {
        ('kept', 'cls_token'): 1, ('kept', 'pos_embed'): 1, **{('renamed', what): n for what, n in renamed.items()},
        **{('dropped', what): n for what, n in dropped.items()}}
    assert len(report.names) + len(report.final_norm) + len(report.others) == len(sources['official'][0]['model'])


def test_sizes_compared(tmp_path, sources):
    """An oblong image too where position embeddings are resized alike, else the native size alone, and it is said."""
    src = save(tmp_path, sources['ours'][0])
    same = convert(src, tmp_path / 'a.pth', 'mmdet')
    assert set(same.differences) == {(64, 64), (80, 112)} and 'native size only' not in str(same)
    other = convert(src, tmp_path / 'a.pth', 'timm')
    assert set(other.differences) == {(64, 64)} and 'native size only' in str(other)


@pytest.mark.parametrize('kind, to', [('official', 'mmpretrain'), ('ours', 'timm')])
def test_wrong_rename_cannot_pass(tmp_path, sources, monkeypatch, kind, to):
    """Names that load strictly but are swapped are found by the features; what was there stays."""
    swapped = list(layouts._NAMES['mmpretrain'])
    swapped[3], swapped[6] = swapped[6], swapped[3]  # ln1 and ln2, of the same shape
    monkeypatch.setitem(layouts._NAMES, 'mmpretrain', tuple(swapped))
    (tmp_path / 'a.pth').write_text('precious')
    with pytest.raises(UserError, match='other features than the source'):
        convert(save(tmp_path, sources[kind][0]), tmp_path / 'a.pth', to, num_heads=3)
    assert (tmp_path / 'a.pth').read_text() == 'precious'
    assert {path.name for path in tmp_path.iterdir()} == {'a.pth', 'source.pth'}


def test_file_that_does_not_load_is_not_kept(tmp_path, sources, monkeypatch):
    monkeypatch.setattr('mmssl_geo.convert.converter.drop_final_norm', lambda state, naming: state)
    with pytest.raises(UserError, match=r'(?s)do not load into the target backbone.*ln1\.weight'):
        convert(save(tmp_path, sources['ours'][0]), tmp_path / 'a.pth', 'mmdet')
    assert [path.name for path in tmp_path.iterdir()] == ['source.pth']


def test_wrong_requests(tmp_path, sources):
    src = save(tmp_path, sources['ours'][0])
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
    (tmp_path / 'dir.pth').mkdir()
    with pytest.raises(UserError, match='cannot write'):
        convert(src, tmp_path / 'dir.pth', 'mmdet')


def test_code_only_by_permission(tmp_path, sources):
    contents = dict(sources['ours'][0], hook=torch.nn.ReLU())
    with pytest.raises(UserError, match='torch.nn.modules.activation.ReLU.*--allow-unsafe'):
        convert(save(tmp_path, contents), tmp_path / 'a.pth', 'mmdet')
    convert(tmp_path / 'source.pth', tmp_path / 'a.pth', 'mmdet', allow_code=True)
    assert (tmp_path / 'a.pth').exists()


def test_command_line(tmp_path, sources, monkeypatch, capsys):
    command = [str(TOOL), str(save(tmp_path, sources['official'][0])), str(tmp_path / 'a.pth'), '--to', 'mmseg']
    refused = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    assert refused.returncode == 1 and 'Traceback' not in refused.stderr
    assert '--num-heads' in refused.stderr and not (tmp_path / 'a.pth').exists()
    monkeypatch.setattr(sys, 'argv', [*command, '--num-heads', '3', '--weights', 'student'])
    with pytest.raises(SystemExit) as done:
        runpy.run_path(str(TOOL), run_name='__main__')
    assert done.value.code == 0
    assert 'prefix   base_encoder. taken off' in capsys.readouterr().out and (tmp_path / 'a.pth').exists()


def test_missing_package_is_named(tmp_path, sources, monkeypatch):
    monkeypatch.setitem(sys.modules, 'timm.models.vision_transformer', None)
    with pytest.raises(UserError, match='needs timm.models.vision_transformer, which is not installed'):
        convert(save(tmp_path, sources['ours'][0]), tmp_path / 'a.pth', 'timm')


def test_further_layout_is_one_entry(tmp_path, nets, monkeypatch):
    """DINO's training checkpoints: one dict a network, the student's inside the wrapper for several processes."""
    monkeypatch.setattr(layouts, 'LAYOUTS', (*layouts.LAYOUTS, layouts.Layout(
        'DINO', 'timm', dict(student='student.backbone.', teacher='teacher.backbone.'))))
    student, teacher = nets.timm(1), nets.timm(2)
    src = save(tmp_path, dict(
        student={f'module.backbone.{key}': value for key, value in student.state_dict().items()},
        teacher={f'backbone.{key}': value for key, value in teacher.state_dict().items()},
        dino_loss=dict(center=torch.zeros(1, 8)), epoch=1))
    for weights, net in (('student', student), ('teacher', teacher)):
        convert(src, tmp_path / 'a.pth', 'timm', weights, num_heads=3)
        written = read_checkpoint(tmp_path / 'a.pth')['state_dict']
        assert torch.equal(written['blocks.1.mlp.fc1.weight'], net.blocks[1].mlp.fc1.weight)
