"""Every source layout gives the same features in every target's own class."""

import pytest
import torch

from mmssl_geo.checkpoints import convert, load_encoder, read_checkpoint
from mmssl_geo.utils.errors import UserError
from tests.support import checkpoints as make

IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(7))
OBLONG = torch.randn(1, 3, 64, 97, generator=torch.Generator().manual_seed(8))
VITS = [
    'ours',
    'official',
    'official, wrapped',
    'DINO',
    'iBOT',
    'one network',
    'mmpretrain encoder',
    'timm encoder',
    'iBOT encoder',
]
RESNETS = ['ours', 'DINO', 'denseSSL', 'torchvision encoder', 'old torchvision encoder']
DENSE = ('mmdet', 'mmseg')


@pytest.mark.parametrize('weights', ['teacher', 'student'])
@pytest.mark.parametrize(
    'to, name',
    [
        ('mmpretrain', 'a.pth'),
        ('mmpretrain', 'a.safetensors'),
        ('mmdet', 'a.pth'),
        ('mmseg', 'a.safetensors'),
        ('timm', 'a.pth'),
        ('timm', 'a.safetensors'),
    ],
)
@pytest.mark.parametrize('kind', VITS)
def test_vit(tmp_path, vit_sources, save, kind, to, name, weights):
    contents, student, teacher = vit_sources[kind]
    convert(save(contents), tmp_path / name, to, weights, num_heads=3)
    written = read_checkpoint(tmp_path / name)
    net = make.timm_vit(9) if to == 'timm' else make.mmpretrain_vit(9, final_norm=to not in DENSE)
    net.load_state_dict(written['state_dict'], strict=True)
    expected = make.tokens(teacher if weights == 'teacher' else student, IMAGES, to not in DENSE)
    assert make.difference(make.tokens(net, IMAGES, to not in DENSE), expected) < 1e-5
    meta = {key: int(written['meta'][key]) for key in ('num_heads', 'patch_size', 'embed_dims')}
    assert meta == dict(num_heads=3, patch_size=16, embed_dims=48)


@pytest.mark.parametrize(
    'to, name', [('mmpretrain', 'a.safetensors'), ('mmdet', 'a.pth'), ('mmseg', 'a.pth'), ('timm', 'a.pth')]
)
@pytest.mark.parametrize('kind', RESNETS)
def test_resnet(tmp_path, resnet_sources, kind, to, name):
    source = resnet_sources[kind]
    depth = 50 if kind in ('DINO', 'torchvision encoder') else 18
    report = convert(source.path, tmp_path / name, to)
    written = read_checkpoint(tmp_path / name)
    net = make.package_resnet(to, 9, depth)
    net.load_state_dict(written['state_dict'], strict=True)
    for ours, theirs in zip(make.stage_maps(net, OBLONG), make.stage_maps(source.teacher, OBLONG), strict=True):
        assert make.difference(ours, theirs) < 1e-9
    assert int(written['meta']['depth']) == depth and len(report.differences) == 2
    counts = {int(value) for key, value in written['state_dict'].items() if key.endswith('num_batches_tracked')}
    assert counts == ({0} if kind.startswith('old') else {10} if kind == 'denseSSL' else {9})
    assert len(report.added_keys) == (20 if kind.startswith('old') else 0)


@pytest.mark.parametrize('kind', ['ours', 'DINO'])
def test_student_of_a_resnet(tmp_path, resnet_sources, kind):
    source = resnet_sources[kind]
    convert(source.path, tmp_path / 'a.pth', 'mmpretrain', 'student')
    state = source.student.state_dict()
    for key, value in read_checkpoint(tmp_path / 'a.pth')['state_dict'].items():
        assert torch.equal(value, state[key])


@pytest.mark.parametrize('path', [('timm', 'mmpretrain'), ('mmpretrain', 'timm', 'mmpretrain')])
@pytest.mark.parametrize('net', ['vit', 'resnet'])
def test_round_trip(tmp_path, vit_sources, resnet_sources, save, net, path):
    """A written file can be converted again, and converting back gives bitwise equal weights."""
    src = save(vit_sources['ours'][0]) if net == 'vit' else resnet_sources['ours'].path
    expected = (vit_sources if net == 'vit' else {'ours': (0, 0, resnet_sources['ours'].teacher)})['ours'][2]
    for step, to in enumerate(path):
        convert(src, tmp_path / f'{step}.pth', to)
        src = tmp_path / f'{step}.pth'
    state = read_checkpoint(src)['state_dict']
    assert set(state) == set(expected.state_dict())
    assert all(torch.equal(state[key], value) for key, value in expected.state_dict().items())


def test_files_without_the_final_norm(tmp_path, vit_sources, save):
    """Files for the dense packages cannot be converted for a package that needs the norm."""
    convert(save(vit_sources['ours'][0]), tmp_path / 'dense.pth', 'mmdet')
    convert(tmp_path / 'dense.pth', tmp_path / 'again.safetensors', 'mmseg')
    net = make.mmpretrain_vit(9, final_norm=False)
    net.load_state_dict(read_checkpoint(tmp_path / 'again.safetensors')['state_dict'], strict=True)
    assert torch.equal(make.tokens(net, IMAGES, False), make.tokens(vit_sources['ours'][2], IMAGES, False))
    for to in ('mmpretrain', 'timm'):
        with pytest.raises(UserError, match=rf'dense.pth: it has no final LayerNorm .*which {to} needs'):
            convert(tmp_path / 'dense.pth', tmp_path / 'a.pth', to)
    with pytest.raises(UserError, match='dense.pth: it has no final LayerNorm'):
        load_encoder(tmp_path / 'dense.pth')
    assert not (tmp_path / 'a.pth').exists()


def test_own_loaders_of_the_packages(tmp_path, vit_sources, resnet_sources, save):
    """mmengine's `Pretrained` without a prefix, and timm's own loader."""
    from timm.models import load_checkpoint

    cases = [
        (save(vit_sources['ours'][0]), vit_sources['ours'][2], 'mmpretrain', make.mmpretrain_vit(9)),
        *(
            (resnet_sources['ours'].path, resnet_sources['ours'].teacher, to, make.package_resnet(to, 9, 18))
            for to in ('mmpretrain', *DENSE)
        ),
    ]
    for src, expected, to, net in cases:
        convert(src, tmp_path / 'a.pth', to)
        net.init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'a.pth'))
        net._is_init = False
        net.init_weights()
        assert all(torch.equal(value, expected.state_dict()[key]) for key, value in net.state_dict().items())
    for name in ('timm.pth', 'timm.safetensors'):
        convert(cases[0][0], tmp_path / name, 'timm')
        net = make.timm_vit(9)
        load_checkpoint(net, str(tmp_path / name), strict=True)
        assert make.difference(make.tokens(net, IMAGES), make.tokens(cases[0][1], IMAGES)) < 1e-5


@pytest.mark.parametrize('to', ['mmpretrain', *DENSE])
def test_resnet_of_other_widths(tmp_path, save, to):
    """The OpenMMLab packages build them; timm's class has no such option."""
    options = dict(in_channels=4, stem_channels=12, base_channels=8)
    source = make.package_resnet('mmpretrain', 1, 50, **options)
    src = save(source.state_dict())
    convert(src, tmp_path / 'a.pth', to)
    net = make.package_resnet(to, 9, 50, **options)
    net.load_state_dict(read_checkpoint(tmp_path / 'a.pth')['state_dict'], strict=True)
    images = torch.randn(1, 4, 64, 64)
    for ours, theirs in zip(make.stage_maps(net, images), make.stage_maps(source, images), strict=True):
        assert make.difference(ours, theirs) < 1e-9
    with pytest.raises(UserError, match='do not load into the target backbone'):
        convert(src, tmp_path / 'b.pth', 'timm')
