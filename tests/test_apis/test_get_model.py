import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

import mmssl_geo
from mmssl_geo.apis.get_model import NETS
from mmssl_geo.checkpoints import convert
from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError
from tests.support import checkpoints as make

IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(7))
TINY = f'type="mmssl_geo.SSLVisionTransformer", arch={make.ARCH}, patch_size=16'


@pytest.fixture
def config(tmp_path):
    """Function text of a backbone -> path of a config with it."""

    def write(backbone, scope='mmssl_geo'):
        path = tmp_path / 'config.py'
        path.write_text(f'default_scope = "{scope}"\nmodel = dict(backbone=dict({backbone}))\n')
        return path

    return write


@torch.no_grad()
def maps_of(net, images):
    return net(images)


def as_map(tokens, height, width):
    return tokens[:, 1:].transpose(1, 2).unflatten(2, (height, width))


@pytest.fixture(scope='module')
def tiny_timm(tmp_path_factory):
    """A DeiT-Ti by timm's names, for 64 px, and the net."""
    from timm.models.vision_transformer import VisionTransformer

    net = make.randomised(VisionTransformer(64, 16, embed_dim=192, depth=12, num_heads=3, num_classes=0), 1)
    path = tmp_path_factory.mktemp('timm') / 'vitt16.pth'
    torch.save(net.state_dict(), path)
    return path, net


def test_maps_of_the_asked_blocks_by_the_name_of_the_net(tiny_timm):
    path, timm_net = tiny_timm
    net = mmssl_geo.get_model('vitt16', path, out_indices=(3, -1))
    fourth, last = maps_of(net, IMAGES)
    expected = timm_net.get_intermediate_layers(IMAGES, n=[3], reshape=True)[0]
    assert make.difference(fourth, expected) < 1e-4
    assert make.difference(last, as_map(make.tokens(timm_net, IMAGES), 4, 4)) < 1e-4
    assert len(maps_of(mmssl_geo.get_model('vitt16', path), IMAGES)) == 1
    assert not net.training and {value.dtype for value in net.state_dict().values()} == {torch.float32}
    assert net.pos_embed.shape[1] == 17, 'the position embedding of the checkpoint, not that of 224 px'


def test_teacher_or_student_into_a_config(vit, config):
    for weights in ('teacher', 'student'):
        net = mmssl_geo.get_model(config(TINY), vit.path, weights=weights)
        expected = as_map(make.tokens(getattr(vit, weights), IMAGES), 4, 4)
        assert torch.equal(maps_of(net, IMAGES)[0], expected)


def test_the_file_alone(vit, resnet, tiny_timm, tmp_path):
    """The network is read from the file: width, depth, heads, patch size, position embedding."""
    for weights in ('teacher', 'student'):
        net = mmssl_geo.get_model(vit.path, weights=weights)
        assert torch.equal(maps_of(net, IMAGES)[0], as_map(make.tokens(getattr(vit, weights), IMAGES), 4, 4))
    first, last = maps_of(mmssl_geo.get_model(str(vit.path), out_indices=(0, 1)), IMAGES)
    assert not torch.equal(first, last) and torch.equal(last, maps_of(mmssl_geo.get_model(vit.path), IMAGES)[0])
    path, timm_net = tiny_timm
    (found,) = maps_of(mmssl_geo.get_model(path), IMAGES)
    assert make.difference(found, as_map(make.tokens(timm_net, IMAGES), 4, 4)) < 1e-4
    (found,) = maps_of(mmssl_geo.get_model(resnet.path), IMAGES)
    assert make.difference(found, make.stage_maps(resnet.net, IMAGES)[3]) < 1e-4


@pytest.mark.parametrize('target, final_norm', [('mmpretrain', True), ('mmdet', False), ('timm', True)])
def test_an_exported_file_alone(vit, tmp_path, target, final_norm):
    convert(vit.path, tmp_path / 'out.safetensors', target)
    (found,) = maps_of(mmssl_geo.get_model(tmp_path / 'out.safetensors'), IMAGES)
    assert make.difference(found, as_map(make.tokens(vit.teacher, IMAGES, final_norm=final_norm), 4, 4)) < 1e-5


def test_a_file_that_does_not_say_how_many_heads_it_has(vit, config, tmp_path):
    torch.save(vit.teacher.state_dict(), tmp_path / 'plain.pth')
    with pytest.raises(UserError, match=r"--num-heads.* \(give the name of the network too, as in get_model\('vits16'"):
        mmssl_geo.get_model(tmp_path / 'plain.pth')
    (found,) = maps_of(mmssl_geo.get_model(config(TINY), tmp_path / 'plain.pth'), IMAGES)
    assert torch.equal(found, as_map(make.tokens(vit.teacher, IMAGES), 4, 4))
    with pytest.raises(UserError, match=r'gone\.pth: no such file$'):
        mmssl_geo.get_model(tmp_path / 'gone.pth')


def test_sizes_that_are_no_whole_number_of_patches(vit, config):
    net = mmssl_geo.get_model(config(TINY), vit.path)
    images = IMAGES[:, :, :50, :33]
    (found,) = maps_of(net, images)
    assert found.shape == (2, 48, 4, 3)
    assert torch.equal(found, maps_of(net, F.pad(images, (0, 48 - 33, 0, 64 - 50)))[0])


def test_a_downstream_config_without_the_final_norm(vit, config):
    path = config(f'{TINY}, out_indices=[0, 1], final_norm=False, out_type="featmap", drop_path_rate=0.5', 'mmdet')
    first, last = maps_of(mmssl_geo.get_model(path, vit.path), IMAGES)
    assert torch.equal(last, as_map(make.tokens(vit.teacher, IMAGES, final_norm=False), 4, 4))
    assert first.shape == last.shape and not torch.equal(first, last)


def test_a_file_without_the_final_norm(vit, config, tmp_path):
    """Serves a net that has none, and is refused for one that has."""
    convert(vit.path, tmp_path / 'dense.pth', 'mmdet')
    (found,) = maps_of(
        mmssl_geo.get_model(config(f'{TINY}, final_norm=False', 'mmdet'), tmp_path / 'dense.pth'), IMAGES
    )
    assert torch.equal(found, as_map(make.tokens(vit.teacher, IMAGES, final_norm=False), 4, 4))
    with pytest.raises(UserError, match='dense.pth: it has no final LayerNorm'):
        mmssl_geo.get_model(config(TINY), tmp_path / 'dense.pth')


@pytest.mark.parametrize('kind', ['mmpretrain.VisionTransformer', 'VisionTransformer'])
def test_a_config_of_mmpretrain(vit, config, kind):
    """Its own class, which gives [CLS] if it is not told otherwise."""
    net = mmssl_geo.get_model(config(f'type="{kind}", arch={make.ARCH}, patch_size=16', 'mmpretrain'), vit.path)
    assert torch.equal(maps_of(net, IMAGES)[0], as_map(make.tokens(vit.teacher, IMAGES), 4, 4))


def test_stages_of_a_resnet(resnet):
    expected = make.stage_maps(resnet.net, IMAGES)
    found = maps_of(mmssl_geo.get_model('r18', resnet.path, out_indices=range(4)), IMAGES)
    assert len(found) == 4
    for ours, theirs in zip(found, expected, strict=True):
        assert make.difference(ours, theirs) < 1e-4
    (last,) = maps_of(mmssl_geo.get_model('r18', resnet.path), IMAGES)
    assert torch.equal(last, found[3])


def test_a_net_cut_off_at_c4(resnet, config):
    path = config(
        'type="mmssl_geo.SSLResNet", depth=18, num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(2, )',
        'mmdet',
    )
    (found,) = maps_of(mmssl_geo.get_model(path, resnet.path), IMAGES)
    assert make.difference(found, make.stage_maps(resnet.net, IMAGES)[2]) < 1e-4


def test_the_name_of_a_shipped_config():
    (found,) = maps_of(mmssl_geo.get_model('gtsa_quickstart'), IMAGES)
    assert found.shape == (2, 192, 8, 8)


def test_random_weights_are_the_same_every_time_and_init_cfg_is_not_read(config, capfd):
    path = config(f'{TINY}, init_cfg=dict(type="Pretrained", checkpoint="nowhere.pth")')
    torch.manual_seed(1)
    first = mmssl_geo.get_model(path).state_dict()
    after = torch.rand(1)
    torch.manual_seed(2)
    second = mmssl_geo.get_model(path).state_dict()
    assert all(torch.equal(value, second[key]) for key, value in first.items())
    assert 0.015 < first['layers.0.attn.qkv.weight'].std() < 0.025
    torch.manual_seed(1)
    mmssl_geo.get_model(path)
    assert torch.equal(torch.rand(1), after), 'the weights are drawn from a generator of their own'
    assert capfd.readouterr().out.count('\n') < 5, 'no line for each parameter'


@pytest.mark.parametrize(
    'name, checkpoint, said',
    [
        ('vits16', 'vit', r'epoch_1\.pth: --num-heads 6 contradicts .* which says 3 \(vits16 is a ViT of 6'),
        ('vits16', 'resnet', r'this is a ResNet \(vits16 is a ViT of 6 heads\)'),
        (
            'vitt16',
            'vit',
            r'holds a ViT of width 48, depth 2, .*, but vitt16 has embed_dims=192, num_layers=12: name the',
        ),
        ('r18', 'vit', r'holds a ViT of width 48, .*, but r18 has depth=18'),
        ('r50', 'resnet', r'holds a ResNet-18, .*, but r50 has depth=50'),
    ],
)
def test_checkpoints_of_other_nets(request, name, checkpoint, said):
    with pytest.raises(UserError, match=said):
        mmssl_geo.get_model(name, request.getfixturevalue(checkpoint).path)


def test_wrong_requests(vit, config, tmp_path):
    with pytest.raises(
        UserError, match=r'no network or config vits8: give one of vitt16, .*\(vits16.*\?\), or the path'
    ):
        mmssl_geo.get_model('vits8')
    with pytest.raises(UserError, match='no config file .*none.py'):
        mmssl_geo.get_model(tmp_path / 'none.py')
    (tmp_path / 'empty.py').write_text('a = 1')
    with pytest.raises(UserError, match='empty.py has no model.backbone'):
        mmssl_geo.get_model(tmp_path / 'empty.py')
    with pytest.raises(UserError, match='none.pth: no such file$'):
        mmssl_geo.get_model('vits16', tmp_path / 'none.pth')
    with pytest.raises(UserError, match='cannot be built'):
        mmssl_geo.get_model('vitt16', out_indices=[99])
    with pytest.raises(UserError, match=f'checkpoint {tmp_path}: is a folder; name a file in it'):
        mmssl_geo.get_model('vits16', tmp_path)
    with pytest.raises(UserError, match='is not a config: give the network or its config first'):
        mmssl_geo.get_model(vit.path, 'vits16')
    with pytest.raises(UserError, match='takes a checkpoint, or the name of a network or config, got a dict'):
        mmssl_geo.get_model(dict(model=1))
    for blocks in ((5, 1), (5, 5), (-1, 3)):
        with pytest.raises(UserError, match='give each block or stage once, in ascending order'):
            mmssl_geo.get_model('vitt16', out_indices=blocks)
    with pytest.raises(UserError, match=r'6 have another shape: layers\.0\.ffn.* \(file \(96, 48\), model \(64, 48'):
        arch = dict(make.ARCH, feedforward_channels=64)
        mmssl_geo.get_model(config(TINY.replace(str(make.ARCH), str(arch))), vit.path)


def test_one_block_without_a_list_and_a_shipped_config_with_its_ending():
    assert mmssl_geo.get_model('vitt16', out_indices=3).out_indices == [3]
    assert mmssl_geo.get_model('gtsa_quickstart.py').embed_dims == 192


@pytest.mark.parametrize(
    'images, found',
    [
        (IMAGES.double(), r'torch.float64 \(2, 3, 64, 64\)'),
        (IMAGES[0], r'torch.float32 \(3, 64, 64\)'),
        (IMAGES[:0], r'torch.float32 \(0, 3, 64, 64\)'),
        (IMAGES[:, :1], r'torch.float32 \(2, 1, 64, 64\)'),
        (IMAGES.numpy(), 'ndarray'),
    ],
)
def test_what_is_no_batch_of_images(vit, config, images, found):
    net = mmssl_geo.get_model(config(TINY), vit.path)
    with pytest.raises(UserError, match=rf'takes a tensor \(B, 3, H, W\) of torch.float32, .* got {found}'):
        net(images)
    assert maps_of(net.double(), IMAGES.double())[0].dtype == torch.float64


def test_every_name_is_built():
    channels = {name: MODELS.build(cfg).feature_channels for name, cfg in NETS.items()}
    assert channels == dict(vitt16=192, vits16=384, vitb16=768, r18=512, r50=2048)


def test_import_stays_light():
    code = (
        'import sys, mmssl_geo\n'
        'assert not {"mmengine", "mmcv", "mmpretrain", "matplotlib"} & set(sys.modules)\n'
        'assert "get_model" in mmssl_geo.__all__'
    )
    subprocess.run([sys.executable, '-c', code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'get_models'"):
        _ = mmssl_geo.get_models
