import pytest
import torch

from mmssl_geo.checkpoints import convert, load_encoder
from mmssl_geo.utils.errors import UserError
from tests.support import checkpoints as make

IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize('weights', ['teacher', 'student'])
@pytest.mark.parametrize('kind', ['ours', 'official', 'DINO', 'iBOT', 'one network', 'timm encoder'])
def test_vit_gives_the_map_after_the_final_norm(vit_sources, save, kind, weights):
    contents, student, teacher = vit_sources[kind]
    encoder = load_encoder(save(contents), weights, num_heads=3)
    patches = make.tokens(teacher if weights == 'teacher' else student, IMAGES)[:, 1:]
    with torch.no_grad():
        found = encoder.net(IMAGES)[-1]
    assert (encoder.stride, encoder.channels) == (16, 48) and found.shape == (2, 48, 4, 4)
    assert make.difference(found, patches.transpose(1, 2).reshape(2, 48, 4, 4)) < 1e-5
    assert not encoder.net.training and found.dtype == torch.float32


def test_other_sizes_than_the_native_one(vit_sources, save):
    encoder = load_encoder(save(vit_sources['ours'][0]))
    images = torch.randn(1, 3, 32, 80)
    expected = make.tokens(vit_sources['ours'][2], images)[0, 1:]
    assert torch.allclose(encoder.net(images)[-1][0].flatten(1).t(), expected, atol=1e-5)


@pytest.mark.parametrize('kind, depth, channels', [('ours', 18, 512), ('DINO', 50, 2048)])
def test_resnet_gives_c5(resnet_sources, kind, depth, channels):
    encoder = load_encoder(resnet_sources[kind].path)
    assert not encoder.net.training and (encoder.stride, encoder.channels) == (32, channels)
    with torch.no_grad():
        found = encoder.net(IMAGES)[-1]
    assert found.shape == (2, channels, 2, 2) and found.dtype == torch.float32
    assert make.difference(found, make.stage_maps(resnet_sources[kind].teacher, IMAGES)[-1]) < 1e-4
    assert f'teacher, ResNet-{depth}, ' in encoder.description


@pytest.mark.parametrize('to', ['mmpretrain', 'timm'])
def test_files_of_the_converter(tmp_path, vit_sources, save, to):
    """The number of heads comes from the metadata."""
    convert(save(vit_sources['official'][0]), tmp_path / 'a.safetensors', to, num_heads=3)
    encoder = load_encoder(tmp_path / 'a.safetensors')
    patches = make.tokens(vit_sources['official'][2], IMAGES)[:, 1:]
    with torch.no_grad():
        assert make.difference(encoder.net(IMAGES)[-1].flatten(2).transpose(1, 2), patches) < 1e-5
    assert encoder.description == (
        f'single encoder with the keys of {to}, encoder, ViT of width 48, depth 2, '
        "3 heads (the file's meta), hidden 96, patch 16, grid 4 x 4 (64 pixels)"
    )


def test_half_precision_weights_become_float32(vit_sources, save):
    state = {key: value.half() for key, value in vit_sources['timm encoder'][0].items()}
    net = load_encoder(save(state), num_heads=3).net
    assert {value.dtype for value in net.state_dict().values()} == {torch.float32}


def test_wrong_requests(vit_sources, save):
    with pytest.raises(UserError, match="not 'ema'"):
        load_encoder(save(vit_sources['ours'][0]), 'ema')
    with pytest.raises(UserError, match='source.pth: .*contradicts'):
        load_encoder(save(vit_sources['ours'][0]), num_heads=6)
    contents = dict(vit_sources['ours'][0], hook=torch.nn.ReLU())
    with pytest.raises(UserError, match='ReLU.*--allow-unsafe'):
        load_encoder(save(contents))
    assert load_encoder(save(contents), allow_code=True).channels == 48
