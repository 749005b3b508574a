from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config

from mmssl_geo.errors import UserError
from mmssl_geo.models.selfsup.patch_mixing import (
    PatchMixing,
    draw_marks,
    pool_kept,
    token_cosines,
    token_weights,
)
from mmssl_geo.registry import MODELS
from tests.helpers import ROOT, random_views, tiny_config
from tests.region_helpers import TINY_RESNET, TINY_VIT, d3ssl_config, random_regions

MIXING = dict(type='mmssl_geo.PatchMixing', share=0.5)
GREY = SimpleNamespace(mean=torch.full((1, 3, 1, 1), 100.), std=torch.full((1, 3, 1, 1), 50.))


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


# ---- the backbone's forward with mixed patches

@pytest.fixture
def backbone(default_scope):
    net = MODELS.build(TINY_VIT)
    net.init_weights()
    net.eval()
    return net


IMAGES, OTHERS = torch.randn(2, 2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
SOME = torch.zeros(2, 4, 4, dtype=torch.bool)
SOME[0, 1, 2] = SOME[1, :2] = True


def test_without_marks_it_is_the_plain_forward(backbone):
    assert torch.equal(backbone.forward_mixed(IMAGES, OTHERS, torch.zeros_like(SOME))[-1], backbone(IMAGES)[-1])


def test_with_all_marks_it_is_the_other_images_forward(backbone):
    """Position embedding and [CLS] are the view's own, and the same for all images."""
    assert torch.equal(backbone.forward_mixed(IMAGES, OTHERS, torch.ones_like(SOME))[-1], backbone(OTHERS)[-1])


def test_marked_patches_are_the_other_images(backbone):
    """Patches are embedded one by one, so mixed embeddings are those of the image that is mixed in pixels."""
    pixels = SOME.repeat_interleave(16, 1).repeat_interleave(16, 2).unsqueeze(1)
    mixed = backbone.forward_mixed(IMAGES, OTHERS, SOME)[-1]
    torch.testing.assert_close(mixed, backbone(torch.where(pixels, OTHERS, IMAGES))[-1])
    assert not torch.equal(mixed, backbone(IMAGES)[-1])


def test_the_next_forward_is_plain_again_also_after_an_error(backbone):
    before = backbone(IMAGES)[-1]
    backbone.forward_mixed(IMAGES, OTHERS, SOME)
    with pytest.raises(RuntimeError):
        backbone.forward_mixed(IMAGES, OTHERS, SOME[:, :3])
    assert torch.equal(backbone(IMAGES)[-1], before)


def test_no_gradient_flows_through_other_images_embeddings(backbone):
    images, others = IMAGES.clone().requires_grad_(), OTHERS.clone().requires_grad_()
    backbone.forward_mixed(images, others, SOME)[-1].square().sum().backward()
    assert others.grad is None
    reached = images.grad.abs().sum(dim=1).unfold(1, 16, 16).unfold(2, 16, 16).sum(dim=(3, 4)) > 0
    assert torch.equal(reached, ~SOME)
    weight = backbone.patch_embed.projection.weight
    weight.grad = None
    backbone.forward_mixed(images, others, torch.ones_like(SOME))[-1].square().sum().backward()
    assert weight.grad is None or weight.grad.abs().sum() == 0


def test_the_patch_embedding_learns_under_autocast(backbone):
    with torch.autocast('cpu', dtype=torch.bfloat16):
        backbone.forward_mixed(IMAGES, OTHERS, SOME)[-1].float().square().sum().backward()
    assert backbone.patch_embed.projection.weight.grad.abs().sum() > 0


# ---- the draw

def test_a_quarter_of_the_images_each_with_another_of_its_view():
    images = torch.arange(32.).view(32, 1, 1, 1).expand(32, 3, 224, 224)  # two views of 16 images
    seen = set()
    for _ in range(20):
        mixed = PatchMixing().draw(images, 2, 16, GREY)
        own, other = mixed.images[:, 0, 0, 0], mixed.others[:, 0, 0, 0]
        assert mixed.marks.shape == (8, 14, 14) and torch.equal(own.long(), mixed.index)
        assert torch.equal(mixed.index[:4] + 16, mixed.index[4:]) and mixed.index[:4].unique().numel() == 4
        assert torch.equal(own // 16, other // 16) and (own != other).all()
        seen.update(zip((own % 16).tolist(), ((other - own) % 16).tolist(), strict=True))
    assert {first for first, _ in seen} == set(range(16)) and {step for _, step in seen} == set(range(1, 16))


@pytest.mark.parametrize('batch_size, share, count', [(2, 0.25, 1), (4, 0.25, 1), (64, 0.25, 16), (4, 1, 4)])
def test_the_number_of_images(batch_size, share, count):
    assert len(PatchMixing(share).draw(torch.zeros(batch_size, 3, 64, 64), 1, 16, GREY).index) == count


def test_the_draw_follows_torchs_seed_and_differs_between_calls():
    images = torch.randn(8, 3, 64, 64)

    def marks(seed):
        torch.manual_seed(seed)
        return [PatchMixing().draw(images, 1, 8, GREY).marks for _ in range(2)]
    first, second = marks(1)
    assert torch.equal(first, marks(1)[0]) and not torch.equal(first, second) and not torch.equal(first, marks(2)[0])


def test_half_of_the_views_have_the_holes_and_half_all_but_them():
    """Holes of a small share mark few tokens, their complement many."""
    rng = np.random.default_rng(0)
    starts = set()
    for _ in range(10):
        many = draw_marks(6, (14, 14), (0.2, 0.2), rng).mean(axis=(1, 2)) > 0.5
        assert many.sum() == 3 and (many[::2] == many[0]).all()
        starts.add(bool(many[0]))
    assert starts == {False, True}


def test_shares_of_marked_tokens_are_the_official_ones():
    """Means over draws of the authors' code with these targets; of holes and their complement, the smaller."""
    rng = np.random.default_rng(0)
    for share, expected in ((0.2, 0.2185), (0.4, 0.4222)):
        marked = draw_marks(300, (14, 14), (share, share), rng).mean(axis=(1, 2))
        assert np.minimum(marked, 1 - marked).mean() == pytest.approx(expected, abs=0.01)
    shares = draw_marks(300, (14, 14), (0.2, 0.4), rng).mean(axis=(1, 2))
    assert np.quantile(np.minimum(shares, 1 - shares), [0.1, 0.9]) == pytest.approx([0.24, 0.4], abs=0.03)


def test_jitter_gives_the_student_colours_of_its_own():
    images = torch.randn(4, 3, 32, 32).clamp(-1, 1)
    plain = PatchMixing(1).draw(images, 1, 8, GREY)
    jittered = PatchMixing(1, jitter=(0.4, 0.4, 0.2, 0.1)).draw(images, 1, 8, GREY)
    still = PatchMixing(1, jitter=(0, 0, 0, 0)).draw(images, 1, 8, GREY)
    assert torch.equal(plain.images, images[plain.index])
    torch.testing.assert_close(still.images, images[still.index])
    moved = jittered.images - images[jittered.index]
    assert (moved.abs().mean(dim=(1, 2, 3)) > 0.01).all() and not torch.allclose(moved[0], moved[1], atol=0.05)


@pytest.mark.parametrize('settings, message', [
    (dict(share=0), 'mixing.share must be above 0'), (dict(share=1.2), 'mixing.share must be'),
    (dict(weight=-1), 'mixing.weight must not be negative'), (dict(cut_share=(0, 0.5)), 'mixing.cut_share must be'),
    (dict(cut_share=(0.6, 0.5)), 'mixing.cut_share must be'), (dict(jitter=(1, 1, 1)), 'mixing.jitter must be'),
    (dict(jitter=(1, 1, 1, 0.6)), 'mixing.jitter must be')])
def test_impossible_settings(settings, message):
    with pytest.raises(UserError, match=message):
        PatchMixing(**settings)


# ---- the loss

def test_every_view_counts_the_same_and_only_by_its_kept_tokens():
    kept = torch.tensor([[[True, False], [False, False]], [[True, True], [True, False]], [[False] * 2] * 2])
    torch.testing.assert_close(
        token_weights(kept, torch.float64),
        torch.tensor([[[1, 0], [0, 0]], [[1 / 3, 1 / 3], [1 / 3, 0]], [[0, 0], [0, 0]]], dtype=torch.float64))


def test_the_loss_by_hand():
    mixed = SimpleNamespace(index=range(3))
    cosines = torch.tensor([0.5, -1., 0.2])
    losses = PatchMixing(weight=0.3).losses(-2 * cosines, cosines, torch.tensor([3., 1., 0.]), mixed)
    assert losses['loss_mixing'].item() == pytest.approx(0.3 * -2 * (0.5 * 0.75 - 0.25))
    assert losses['cosine_mixing'].item() == pytest.approx(0.125) and losses['mixed_views'] == 3
    nothing = PatchMixing().losses(cosines, cosines, torch.zeros(3), mixed)
    assert nothing['loss_mixing'] == 0 and nothing['cosine_mixing'] == 0


def test_half_precision_tokens_are_compared_in_float32():
    maps = torch.full((1, 256, 2, 2), 200., dtype=torch.float16)  # 200^2 x 256 overflows float16
    cosines = token_cosines(maps, maps)
    assert cosines.dtype == torch.float32
    torch.testing.assert_close(cosines, torch.ones(1, 2, 2))


def test_pooled_vectors_are_means_of_kept_tokens():
    """A box of whole cells, pooled cell by cell: the mean is exact."""
    maps = torch.randn(2, 5, 4, 4)
    kept = torch.rand(2, 4, 4) < 0.5
    kept[1, 1:, 1:] = False  # the samples of a box reach half a token beyond it
    kept[1, 0, 0] = True
    boxes = torch.tensor([[0., 0, 4, 4], [2, 2, 4, 4]])
    vectors, shares = pool_kept(maps, kept, boxes, torch.tensor([0, 1]), 4)
    torch.testing.assert_close(vectors[0], maps[0][:, kept[0]].mean(dim=1))
    torch.testing.assert_close(shares, torch.tensor([kept[0].float().mean(), 0.]))
    torch.testing.assert_close(vectors[1], maps[1][:, kept[1]].mean(dim=1))  # of the whole map
    maps[~kept.unsqueeze(1).expand_as(maps)] = 100.
    assert torch.equal(pool_kept(maps, kept, boxes, torch.tensor([0, 1]), 4)[0], vectors)


# ---- in the methods

def test_gtsas_loss_re_derived(default_scope):
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
            mixed.images[row:row + 1], mixed.others[row:row + 1], mixed.marks[row:row + 1])[-1]
        student = model.head.predictor(model.neck(maps))[0]
        teacher = model.teacher(views.global_images[image:image + 1])[0]
        kept = ~mixed.marks[row]
        rows.append(F.cosine_similarity(student[:, kept], teacher[:, kept], dim=0).mean())
    assert mixed.marks.any(dim=(1, 2)).all() and len(rows) == 4
    torch.testing.assert_close(losses['loss_mixing'], -0.3 * torch.stack(rows).mean())
    torch.testing.assert_close(losses['cosine_mixing'], torch.stack(rows).mean())


@pytest.mark.parametrize('teacher_x1, name', [('clean', 'x1'), ('cut', 'x1_cut')])
def test_d3ssls_loss_re_derived(default_scope, teacher_x1, name):
    model = build(d3ssl_config({**TINY_VIT, 'patch_size': 8}, mixing=MIXING, teacher_x1=teacher_x1)).eval()
    views = random_regions(batch_size=4)
    torch.manual_seed(5)
    losses = model(views, mode='loss')
    torch.manual_seed(5)
    mixed = model.mixing.draw(torch.cat([views.images[name], views.images['x2']]), 2, 8, None)
    maps = model.backbone.forward_mixed(mixed.images, mixed.others, mixed.marks)[-1]
    cosines, shares = [], []
    for row, image in enumerate(mixed.index.tolist()):
        view = (name, 'x2')[image // 4]
        targets = model.project_teacher(views, view).view(4, 3, -1)[image % 4]
        vectors, kept = pool_kept(
            maps[row:row + 1], mixed.kept[row:row + 1], views.regions[view][image % 4] / 8,
            torch.zeros(3, dtype=torch.long), 8)
        cosines.append(F.cosine_similarity(model.head.predictor(model.neck(vectors)), targets, dim=1))
        shares.append(kept)
    mean = (torch.cat(cosines) * torch.cat(shares)).sum() / torch.cat(shares).sum()
    torch.testing.assert_close(losses['loss_mixing'], -0.6 * mean)
    torch.testing.assert_close(losses['cosine_mixing'], mean)


def test_mixing_adds_to_the_losses_and_changes_none(mixing_model):
    """The same draws and weights, with and without: bit by bit the same other losses, no draw without."""
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


def test_a_batch_of_one_is_not_mixed_and_says_so(mixing_model):
    model, batch = mixing_model
    losses = model(batch(1), mode='loss')
    assert 'loss_mixing' not in losses and losses['mixed_views'] == 0 and torch.isfinite(total(losses))


def test_bfloat16_losses_are_float32_and_near(mixing_model):
    model, batch = mixing_model
    model.eval()
    values = []
    for enabled in (False, True):
        torch.manual_seed(5)
        with torch.autocast('cpu', dtype=torch.bfloat16, enabled=enabled):
            values.append(model(batch(), mode='loss')['loss_mixing'])
    assert values[1].dtype == torch.float32 and (values[0] - values[1]).abs() < 0.03


def test_mixing_needs_patches(default_scope):
    with pytest.raises(UserError, match='DINO compares whole images.*leave model.mixing out'):
        MODELS.build({**tiny_config('configs/dino_vits16_coco.py').model, 'mixing': MIXING})
    with pytest.raises(UserError, match='SSLResNet has no patch embeddings.*SSLVisionTransformer'):
        MODELS.build(d3ssl_config(TINY_RESNET, mixing=MIXING))


@pytest.mark.parametrize('name', ['gtsa-dc_vits16_coco', 'gtsa-dc_quickstart', 'd3ssl-mix_vits16_coco'])
def test_the_configs_switch_mixing_on_and_nothing_else(name):
    cfg = Config.fromfile(ROOT / f'configs/{name}.py')
    base = Config.fromfile(ROOT / 'configs' / f'{name.replace("-dc", "").replace("-mix", "")}.py')
    assert cfg.model.pop('mixing') == dict(type='mmssl_geo.PatchMixing')
    assert cfg.to_dict() == base.to_dict()
