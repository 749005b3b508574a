import importlib
import math

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmssl_geo.models import SSLVisionTransformer
from mmssl_geo.models.backbones import strict_init, vision_transformer
from mmssl_geo.models.backbones.vision_transformer import attention
from mmssl_geo.utils.errors import UserError

ARCH = dict(embed_dims=32, num_layers=3, num_heads=2, feedforward_channels=64)


def make_vit(img_size=64, **kwargs):
    return SSLVisionTransformer(
        **{**dict(arch=ARCH, img_size=img_size, out_type='featmap', final_norm=False), **kwargs}
    )


def pretrained(path, **kwargs):
    return dict(type='Pretrained', checkpoint=str(path), **kwargs)


@pytest.fixture
def log(monkeypatch):
    lines = []
    for module in (strict_init, vision_transformer):
        monkeypatch.setattr(module, 'print_log', lambda line, logger: lines.append(line))
    return lines


@pytest.fixture
def saved(tmp_path):
    """Writes a state dict changed by `edit` and returns the path."""

    def save(edit=lambda state: None, img_size=64, prefix='', **kwargs):
        torch.manual_seed(1)
        source = make_vit(img_size, **kwargs)
        source.init_weights()
        state = {prefix + key: value for key, value in source.state_dict().items()}
        edit(state)
        path = tmp_path / 'weights.pth'
        torch.save(dict(state_dict=state), path)
        return path

    return save


def test_initialisation_follows_the_official_code():
    torch.manual_seed(0)
    vit = SSLVisionTransformer(arch='deit-tiny', final_norm=True, out_type='featmap')
    conv_before = vit.patch_embed.projection.weight.detach().clone()
    with torch.no_grad():  # zeros and ones must be written, not left from construction
        for module in vit.modules():
            if isinstance(module, torch.nn.LayerNorm | torch.nn.Linear):
                for param in module.parameters():
                    param.fill_(7.0)
    vit.init_weights()
    linears = {name: m for name, m in vit.named_modules() if isinstance(m, torch.nn.Linear)}
    norms = [m for m in vit.modules() if isinstance(m, torch.nn.LayerNorm)]
    assert len(linears) == 4 * 12 and len(norms) == 2 * 12 + 1
    for name, linear in linears.items():
        deviation = 0.02 / math.sqrt(2 * linear.weight.numel())  # standard error of the estimated deviation
        assert abs(linear.weight.std().item() - 0.02) < 5 * deviation, name
        assert abs(linear.weight.mean().item()) < 5 * 0.02 / math.sqrt(linear.weight.numel()), name
        # cut at +-2, not at two deviations: 2.3 % of a normal's mass lies above two deviations
        assert (linear.weight > 0.04).float().mean() == pytest.approx(0.0228, abs=0.004), name
        assert (linear.bias == 0).all(), name
    assert all((m.weight == 1).all() and (m.bias == 0).all() for m in norms)
    assert vit.pos_embed.std().item() == pytest.approx(0.02, rel=0.03)
    assert vit.cls_token.std().item() == pytest.approx(0.02, rel=0.3)
    assert torch.equal(vit.patch_embed.projection.weight, conv_before)
    bound = 1 / math.sqrt(3 * 16 * 16)
    assert conv_before.abs().max() <= bound
    assert conv_before.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)


@pytest.mark.parametrize(
    'init_cfg', [None, dict(type='Pretrained', checkpoint=None), dict(type='Pretrained', checkpoint='')]
)
def test_random_initialisation_is_logged(init_cfg, log):
    make_vit(init_cfg=init_cfg).init_weights()
    assert log == ['backbone starts from random weights']


@pytest.mark.parametrize('init_cfg', [dict(type='TruncNormal', std=1.0), dict(type='Pretrained', checkpint='x.pth')])
def test_other_init_cfg_is_refused(init_cfg):
    with pytest.raises(UserError, match='init_cfg: only None or'):
        make_vit(init_cfg=init_cfg)


@pytest.mark.parametrize(
    'stored, given', [('', None), ('backbone.', None), ('backbone.', 'backbone'), ('net.', 'net.')]
)
def test_strict_load(saved, log, stored, given):
    path = saved(prefix=stored)
    vit = make_vit(init_cfg=pretrained(path, prefix=given))
    vit.init_weights()
    state = torch.load(path)['state_dict']
    assert all(torch.equal(value, state[stored + key]) for key, value in vit.state_dict().items())
    count = len(state)
    assert log[-1:] == [f'loaded {count} of {count} backbone tensors from {path} (strict)']


def test_heads_of_a_whole_model_are_ignored(saved, log):
    path = saved(lambda state: state.update({'neck.conv.weight': torch.zeros(3)}), prefix='backbone.')
    make_vit(init_cfg=pretrained(path)).init_weights()
    assert log[-1].endswith('(strict); 1 tensors of other parts ignored')


def drop(state):
    del state['layers.1.attn.qkv.weight']


def rename_all(state):
    for key in list(state):
        state['blocks.' + key] = state.pop(key)


def reshape(state):
    state['layers.2.ln1.weight'] = torch.ones(48)


def spoil(state):
    state['layers.0.ln2.bias'][3] = torch.nan


def add(state):
    state['ln1.weight'] = torch.ones(32)


@pytest.mark.parametrize(
    'edit, message',
    [
        (drop, r'1 of 40 are missing: layers\.1\.attn\.qkv\.weight\. Export'),
        (rename_all, r'40 of 40 are missing: cls_token, pos_embed, .*, and 30 more; 40 are unexpected: blocks\.'),
        (reshape, r'1 have another shape: layers\.2\.ln1\.weight \(file \(48,\), model \(32,\)\)'),
        (spoil, r'1 hold NaN or infinite values: layers\.0\.ln2\.bias'),
        (add, r'1 are unexpected: ln1\.weight'),
    ],
)
def test_tensors_that_do_not_fit_are_named(saved, edit, message):
    path = saved(edit)
    vit = make_vit(init_cfg=pretrained(path))
    with pytest.raises(UserError, match=message) as caught:
        vit.init_weights()
    assert str(path) in str(caught.value) and '--to mmdet' in str(caught.value)


@pytest.mark.parametrize('final_norm, target', [(True, 'mmpretrain'), (False, 'mmdet')])
def test_the_advice_names_the_export_that_fits_the_config(saved, final_norm, target):
    vit = make_vit(init_cfg=pretrained(saved(rename_all)), final_norm=final_norm)
    with pytest.raises(UserError, match=f'OUT.pth --to {target}`'):
        vit.init_weights()


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match='nowhere.pth: no such file'):
        make_vit(init_cfg=pretrained(tmp_path / 'nowhere.pth')).init_weights()


def test_position_embedding_follows_img_size(saved, log):
    path = saved(img_size=64)
    vit = make_vit(img_size=(96, 128), init_cfg=pretrained(path))
    vit.init_weights()
    stored = torch.load(path)['state_dict']['pos_embed']
    grid = stored[:, 1:].reshape(1, 4, 4, 32).permute(0, 3, 1, 2)
    resized = F.interpolate(grid, size=(6, 8), mode='bicubic', align_corners=False)
    assert torch.equal(vit.pos_embed[:, :1], stored[:, :1])
    assert torch.allclose(vit.pos_embed[:, 1:], resized.flatten(2).transpose(1, 2))
    assert 'resized from 4 x 4 to 6 x 8 cells (bicubic) to fit img_size=(96, 128)' in log[-2]


def test_position_embedding_without_a_square_grid_is_refused(saved):
    def cut(state):
        state['pos_embed'] = state['pos_embed'][:, :-2]

    with pytest.raises(UserError, match=r'pos_embed \(file \(1, 15, 32\), model \(1, 17, 32\)\)'):
        make_vit(init_cfg=pretrained(saved(cut))).init_weights()


@pytest.mark.parametrize('package', ['mmdet', 'mmseg'])
def test_models_of_mmdet_and_mmseg_refuse_other_weights(package, saved):
    backbone = dict(
        type='mmssl_geo.SSLVisionTransformer',
        arch=ARCH,
        img_size=64,
        out_indices=[0, 2],
        out_type='featmap',
        final_norm=False,
        init_cfg=dict(type='Pretrained', checkpoint=None),
    )
    cfg = Config(dict(model=MODELS_AROUND[package] | dict(backbone=backbone)))
    cfg.merge_from_dict({'model.backbone.init_cfg.checkpoint': str(saved(drop))})
    registry = importlib.import_module(f'{package}.registry')
    with DefaultScope.overwrite_default_scope(package):
        model = registry.MODELS.build(cfg.model)
        with pytest.raises(UserError, match=r'1 of 40 are missing: layers\.1\.attn\.qkv\.weight'):
            model.init_weights()
        cfg.merge_from_dict({'model.backbone.init_cfg.checkpoint': str(saved())})
        model = registry.MODELS.build(cfg.model)
        model.init_weights()
    state = torch.load(saved())['state_dict']
    assert all(torch.equal(value, state[key]) for key, value in model.backbone.state_dict().items())


MODELS_AROUND = dict(
    mmdet=dict(
        type='FCOS',
        neck=dict(type='FPN', in_channels=[32, 32], out_channels=8, num_outs=2),
        bbox_head=dict(type='FCOSHead', num_classes=2, in_channels=8, feat_channels=8, strides=[16, 32], norm_cfg=None),
    ),
    mmseg=dict(
        type='EncoderDecoder',
        test_cfg=dict(mode='whole'),
        decode_head=dict(type='FCNHead', in_channels=32, channels=8, num_classes=2),
    ),
)


def test_maps_of_several_blocks():
    vit = make_vit(out_indices=[0, 2])
    vit.eval()
    maps = vit(torch.randn(2, 3, 48, 72))
    assert [tuple(x.shape) for x in maps] == [(2, 32, 3, 5)] * 2  # 72 is padded to 80
    assert not torch.equal(maps[0], maps[1])


def test_final_norm_is_optional():
    image = torch.randn(1, 3, 64, 64)
    for final_norm in (True, False):
        vit = make_vit(final_norm=final_norm)
        vit.init_weights()
        vit.eval()
        means = vit(image)[-1].mean(dim=1)
        assert torch.allclose(means, torch.zeros_like(means), atol=1e-5) == final_norm


@pytest.mark.parametrize('dtype, bound', [(torch.float32, 1e-6), (torch.bfloat16, 2e-2)])
def test_attention_is_softmax_of_scaled_products(dtype, bound):
    query, key, value = torch.randn(3, 2, 3, 7, 16, dtype=torch.float64)
    expected = torch.softmax(query @ key.mT / 16**0.5, dim=-1) @ value
    found = attention(query.to(dtype), key.to(dtype), value.to(dtype))
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), expected, atol=bound, rtol=bound)


def test_attention_of_bfloat16_on_a_cpu_is_not_the_fused_kernel():
    """Its backward pass is several times slower there."""
    query = torch.randn(1, 1, 4, 8, dtype=torch.bfloat16)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as calls:
        attention(query, query, query)
    assert not any('scaled_dot_product' in call.key for call in calls.key_averages())
    for layer in SSLVisionTransformer(arch='deit-tiny').layers:
        assert layer.attn.scaled_dot_product_attention is attention
