"""Mixed patches in GTSA and D3SSL."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config

from mmssl_geo.models.selfsup.patch_mixing import pool_kept
from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError
from tests.support import ROOT
from tests.support.pretraining import random_views, tiny_config
from tests.support.regions import TINY_RESNET, TINY_VIT, d3ssl_config, random_regions

MIXING = dict(type='mmssl_geo.PatchMixing', share=0.5)


def build(config):
    model = MODELS.build(config)
    model.init_weights()
    return model.train()


def gtsa(**overrides):
    config = tiny_config(**overrides).model
    return build({**config, 'backbone': {**config.backbone, 'patch_size': 8}})


@pytest.fixture(params=['gtsa', 'd3ssl'])
def mixing_model(request, default_scope):
    """A model with mixing and a function that makes batches for it."""
    if request.param == 'gtsa':
        return gtsa(**{'model.mixing': MIXING}), lambda size=4: random_views(batch_size=size)
    model = build(d3ssl_config({**TINY_VIT, 'patch_size': 8}, mixing=MIXING))
    return model, lambda size=4: random_regions(batch_size=size)


def total(losses):
    return sum(value for name, value in losses.items() if 'loss' in name)


def test_gtsa_loss_matches_a_direct_computation(default_scope):
    """Minus 0.3 times the cosine of predictor and teacher at kept tokens of the same view."""
    model = gtsa(**{'model.mixing': MIXING}).eval()
    views = random_views(batch_size=4)
    torch.manual_seed(5)
    losses = model(views, mode='loss')
    torch.manual_seed(5)
    mixed = model.mixing.draw(views.global_images, 2, 8, None)
    rows = []
    for row, image in enumerate(mixed.index):
        maps = model.backbone.forward_mixed(
            mixed.images[row : row + 1], mixed.donors[row : row + 1], mixed.mask[row : row + 1]
        )[-1]
        student = model.head.predictor(model.neck(maps))[0]
        teacher = model.teacher(views.global_images[image : image + 1])[0]
        kept = ~mixed.mask[row]
        rows.append(F.cosine_similarity(student[:, kept], teacher[:, kept], dim=0).mean())
    assert mixed.mask.flatten(1).any(dim=1).all() and len(rows) == 4
    torch.testing.assert_close(losses['loss_mixing'], -0.3 * torch.stack(rows).mean())
    torch.testing.assert_close(losses['cosine_mixing'], torch.stack(rows).mean())


@pytest.mark.parametrize('teacher_x1, name', [('clean', 'x1'), ('cut', 'x1_cut')])
def test_d3ssl_loss_matches_a_direct_computation(default_scope, teacher_x1, name):
    model = build(d3ssl_config({**TINY_VIT, 'patch_size': 8}, mixing=MIXING, teacher_x1=teacher_x1)).eval()
    views = random_regions(batch_size=4)
    torch.manual_seed(5)
    losses = model(views, mode='loss')
    torch.manual_seed(5)
    mixed = model.mixing.draw(torch.cat([views.images[name], views.images['x2']]), 2, 8, None)
    maps = model.backbone.forward_mixed(mixed.images, mixed.donors, mixed.mask)[-1]
    cosines, shares = [], []
    for row, image in enumerate(mixed.index.tolist()):
        view = (name, 'x2')[image // 4]
        targets = model.project_teacher(views, view).view(4, 3, -1)[image % 4]
        vectors, kept = pool_kept(
            maps[row : row + 1],
            mixed.kept[row : row + 1],
            views.regions[view][image % 4] / 8,
            torch.zeros(3, dtype=torch.long),
            8,
        )
        cosines.append(F.cosine_similarity(model.head.predictor(model.neck(vectors)), targets, dim=1))
        shares.append(kept)
    mean = (torch.cat(cosines) * torch.cat(shares)).sum() / torch.cat(shares).sum()
    torch.testing.assert_close(losses['loss_mixing'], -0.6 * mean)
    torch.testing.assert_close(losses['cosine_mixing'], mean)


def test_mixing_does_not_change_the_other_losses(mixing_model):
    """With equal draws and weights the other losses are bitwise equal; without mixing nothing is drawn."""
    model, batch = mixing_model
    on = model(batch(), mode='loss')
    model.mixing, state = None, torch.get_rng_state()
    off = model(batch(), mode='loss')
    assert torch.equal(torch.get_rng_state(), state)
    assert set(on) - set(off) == {'loss_mixing', 'cosine_mixing', 'mixed_views'} and on['mixed_views'] == 4
    assert all(torch.equal(on[name], off[name]) for name in off)


def test_the_gradient_of_the_mixing_loss_reaches_the_student_and_not_the_teacher(mixing_model):
    model, batch = mixing_model
    model(batch(), mode='loss')['loss_mixing'].backward()
    for name, param in model.named_parameters():
        if name.startswith('teacher.'):
            assert param.grad is None, name
        elif not name.startswith('head.rotation_head.'):
            assert param.grad is not None, name
    assert model.backbone.patch_embed.projection.weight.grad.abs().sum() > 0
    total(model(batch(), mode='loss')).backward()
    assert all(param.grad is not None for param in model.parameters() if param.requires_grad)


def test_a_batch_of_one_is_not_mixed(mixing_model):
    model, batch = mixing_model
    losses = model(batch(1), mode='loss')
    assert 'loss_mixing' not in losses and losses['mixed_views'] == 0 and torch.isfinite(total(losses))


def test_losses_under_bfloat16_are_float32_and_close(mixing_model):
    model, batch = mixing_model
    model.eval()
    values = []
    for enabled in (False, True):
        torch.manual_seed(5)
        with torch.autocast('cpu', dtype=torch.bfloat16, enabled=enabled):
            values.append(model(batch(), mode='loss')['loss_mixing'])
    assert values[1].dtype == torch.float32 and (values[0] - values[1]).abs() < 0.03


def test_mixing_needs_patches(default_scope):
    with pytest.raises(TypeError, match="unexpected keyword argument 'mixing'"):
        MODELS.build({**tiny_config('configs/dino_vits16_coco.py').model, 'mixing': MIXING})
    with pytest.raises(UserError, match='SSLResNet has no patch embeddings.*SSLVisionTransformer'):
        MODELS.build(d3ssl_config(TINY_RESNET, mixing=MIXING))


@pytest.mark.parametrize('name', ['gtsa-dc_vits16_coco', 'gtsa-dc_quickstart', 'd3ssl-mix_vits16_coco'])
def test_the_configs_switch_mixing_on_and_nothing_else(name):
    cfg = Config.fromfile(ROOT / f'configs/{name}.py')
    base = Config.fromfile(ROOT / 'configs' / f'{name.replace("-dc", "").replace("-mix", "")}.py')
    assert cfg.model.pop('mixing') == dict(type='mmssl_geo.PatchMixing')
    assert cfg.to_dict() == base.to_dict()
