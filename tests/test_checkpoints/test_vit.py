import pytest
import torch
from mmengine.config import Config

from mmssl_geo.checkpoints.vit import read_vit_spec, vit_keys
from mmssl_geo.utils.errors import UserError


def weights(width=48, depth=2, hidden=96, patch=16, grid=4):
    """Zeros in the shapes of a ViT, by mmpretrain's names."""
    shapes = {
        'cls_token': (1, 1, width),
        'pos_embed': (1, grid * grid + 1, width),
        'patch_embed.projection.weight': (width, 3, patch, patch),
        'qkv.weight': (3 * width, width),
        'qkv.bias': (3 * width,),
        'attn.proj.weight': (width, width),
        'layers.0.0.weight': (hidden, width),
        'layers.0.0.bias': (hidden,),
        'ffn.layers.1.weight': (width, hidden),
    }
    return {
        name: torch.zeros(next((shape for end, shape in shapes.items() if name.endswith(end)), (width,)))
        for name in vit_keys('mmpretrain', depth)
    }


def spec_of(state, meta=None, **requested):
    return read_vit_spec(state, {name: f'file.{name}' for name in state}, meta or {}, **requested)


def config(**backbone):
    return dict(cfg=Config(dict(model=dict(type='GTSA', backbone=backbone), num=3)).pretty_text)


def test_spec():
    spec = spec_of(weights(grid=7, patch=8), num_heads=6)
    assert (spec.embed_dims, spec.num_layers, spec.num_heads, spec.hidden_dims) == (48, 2, 6, 96)
    assert (spec.patch_size, spec.grid_size, spec.img_size, spec.in_channels) == (8, 7, 56, 3)
    assert (spec.stride, spec.channels, spec.has_final_norm) == (8, 48, True)
    dense = {name: value for name, value in weights().items() if not name.startswith('ln1.')}
    assert not spec_of(dense, num_heads=3).has_final_norm


@pytest.mark.parametrize(
    'meta, requested, heads, origin',
    [
        ({}, None, 12, 'assumed: 64 channels per head'),
        ({}, 24, 24, '--num-heads'),
        (dict(num_heads='16'), None, 16, 'meta'),
        (config(arch='small'), None, 8, 'config'),  # mmpretrain's `small`: 768 wide, 8 heads
        (config(arch=dict(embed_dims=768, num_heads=4, num_layers=2, feedforward_channels=96)), 4, 4, 'config'),
        (config(arch='deit-tiny'), None, 12, 'assumed'),  # of another width: not this net's config
        (config(), 6, 6, '--num-heads'),
        (dict(cfg='no python ('), None, 12, 'assumed'),
        (dict(cfg='model = 3'), None, 12, 'assumed'),
        (dict(cfg="model = dict(backbone='vit')"), None, 12, 'assumed'),
        (['no dict'], None, 12, 'assumed'),
    ],
)
def test_heads(meta, requested, heads, origin):
    spec = spec_of(weights(width=768), meta, num_heads=requested)
    assert spec.num_heads == heads and origin in spec.num_heads_source


def test_config_text_is_not_run(tmp_path):
    text = f'import os\nos.mkdir({str(tmp_path / "trap")!r})\nmodel = dict(backbone=dict(arch=os.getcwd()))'
    assert spec_of(weights(width=64), dict(cfg=text)).num_heads == 1
    assert not (tmp_path / 'trap').exists()


def test_invalid_numbers_of_heads():
    with pytest.raises(UserError, match='width 48 is not a multiple of 64.*--num-heads'):
        spec_of(weights())
    for heads in (5, 0, -3):
        with pytest.raises(UserError, match=f'width 48 is not a multiple of {heads} heads'):
            spec_of(weights(), num_heads=heads)
    with pytest.raises(UserError, match='--num-heads 6 contradicts .*config.* which says 8'):
        spec_of(weights(width=768), config(arch='small'), num_heads=6)


def test_patch_size_is_checked():
    assert spec_of(weights(), num_heads=3, patch_size=16).patch_size == 16
    with pytest.raises(UserError, match='--patch-size 8 does not fit: the weights are for patches of 16'):
        spec_of(weights(), num_heads=3, patch_size=8)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_broken_values_are_named_as_in_the_file(value):
    state = weights()
    state['layers.1.ln2.bias'][3] = value
    with pytest.raises(UserError, match=r'^file\.layers\.1\.ln2\.bias .*NaN or Inf'):
        spec_of(state, num_heads=3)


def test_position_embedding_without_cls():
    with pytest.raises(UserError, match=r'^file\.pos_embed has shape \(1, 16, 48\): 16 patches without '):
        spec_of({**weights(), 'pos_embed': torch.zeros(1, 16, 48)}, num_heads=3)


def test_shapes_that_do_not_fit():
    for name, shape in (
        ('layers.0.attn.qkv.weight', (48, 48)),
        ('layers.1.ffn.layers.0.0.bias', (95,)),
        ('pos_embed', (1, 18, 48)),
        ('ln1.weight', (47,)),
    ):
        state = weights()
        state[name] = torch.zeros(shape)
        with pytest.raises(UserError, match=rf'file\.{name} has shape'):
            spec_of(state, num_heads=3)
    state = weights()
    state['patch_embed.projection.weight'] = torch.zeros(48, 3, 16, 8)
    with pytest.raises(UserError, match='square patches'):
        spec_of(state, num_heads=3)
