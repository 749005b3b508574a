from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmssl_geo.models.selfsup.patch_mixing import PatchMixing, draw_masks, pool_kept, token_cosines, token_weights
from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError
from tests.support.regions import TINY_VIT

GREY = SimpleNamespace(mean=torch.full((1, 3, 1, 1), 100.0), std=torch.full((1, 3, 1, 1), 50.0))


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


def test_an_empty_mask_gives_the_plain_forward(backbone):
    assert torch.equal(backbone.forward_mixed(IMAGES, OTHERS, torch.zeros_like(SOME))[-1], backbone(IMAGES)[-1])


def test_a_full_mask_gives_the_forward_of_the_donors(backbone):
    """Position embedding and [CLS] are the same for all images."""
    assert torch.equal(backbone.forward_mixed(IMAGES, OTHERS, torch.ones_like(SOME))[-1], backbone(OTHERS)[-1])


def test_masked_patches_come_from_the_donors(backbone):
    """Patches are embedded independently, so mixing embeddings equals mixing pixels."""
    pixels = SOME.repeat_interleave(16, 1).repeat_interleave(16, 2).unsqueeze(1)
    mixed = backbone.forward_mixed(IMAGES, OTHERS, SOME)[-1]
    torch.testing.assert_close(mixed, backbone(torch.where(pixels, OTHERS, IMAGES))[-1])
    assert not torch.equal(mixed, backbone(IMAGES)[-1])


def test_the_hook_is_removed_even_after_an_error(backbone):
    before = backbone(IMAGES)[-1]
    backbone.forward_mixed(IMAGES, OTHERS, SOME)
    with pytest.raises(RuntimeError):
        backbone.forward_mixed(IMAGES, OTHERS, SOME[:, :3])
    assert torch.equal(backbone(IMAGES)[-1], before)


def test_no_gradient_flows_into_the_donors_embeddings(backbone):
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


def test_a_quarter_of_the_images_is_mixed_with_others_of_the_same_view():
    images = torch.arange(32.0).view(32, 1, 1, 1).expand(32, 3, 224, 224)  # two views of 16 images
    seen = set()
    for _ in range(20):
        mixed = PatchMixing().draw(images, 2, 16, GREY)
        own, other = mixed.images[:, 0, 0, 0], mixed.donors[:, 0, 0, 0]
        assert mixed.mask.shape == (8, 14, 14) and torch.equal(own.long(), mixed.index)
        assert torch.equal(mixed.index[:4] + 16, mixed.index[4:]) and mixed.index[:4].unique().numel() == 4
        assert torch.equal(own // 16, other // 16) and (own != other).all()
        seen.update(zip((own % 16).tolist(), ((other - own) % 16).tolist(), strict=True))
    assert {first for first, _ in seen} == set(range(16)) and {step for _, step in seen} == set(range(1, 16))


@pytest.mark.parametrize('batch_size, share, count', [(2, 0.25, 1), (4, 0.25, 1), (64, 0.25, 16), (4, 1, 4)])
def test_the_number_of_images(batch_size, share, count):
    assert len(PatchMixing(share).draw(torch.zeros(batch_size, 3, 64, 64), 1, 16, GREY).index) == count


def test_draws_follow_the_seed_of_torch_and_differ_between_calls():
    images = torch.randn(8, 3, 64, 64)

    def marks(seed):
        torch.manual_seed(seed)
        return [PatchMixing().draw(images, 1, 8, GREY).mask for _ in range(2)]

    first, second = marks(1)
    assert torch.equal(first, marks(1)[0]) and not torch.equal(first, second) and not torch.equal(first, marks(2)[0])


def test_every_other_mask_is_the_complement_of_the_holes():
    """Holes of a small share cover few tokens, their complement many."""
    rng = np.random.default_rng(0)
    starts = set()
    for _ in range(10):
        many = draw_masks(6, (14, 14), (0.2, 0.2), rng).mean(axis=(1, 2)) > 0.5
        assert many.sum() == 3 and (many[::2] == many[0]).all()
        starts.add(bool(many[0]))
    assert starts == {False, True}


def test_shares_of_masked_tokens_match_the_official_code():
    """Expected: means over draws of the authors' code with these targets, of the smaller of mask and complement."""
    rng = np.random.default_rng(0)
    for share, expected in ((0.2, 0.2185), (0.4, 0.4222)):
        marked = draw_masks(300, (14, 14), (share, share), rng).mean(axis=(1, 2))
        assert np.minimum(marked, 1 - marked).mean() == pytest.approx(expected, abs=0.01)
    shares = draw_masks(300, (14, 14), (0.2, 0.4), rng).mean(axis=(1, 2))
    assert np.quantile(np.minimum(shares, 1 - shares), [0.1, 0.9]) == pytest.approx([0.24, 0.4], abs=0.03)


def test_jitter_changes_the_colours_of_the_students_views():
    images = torch.randn(4, 3, 32, 32).clamp(-1, 1)
    plain = PatchMixing(1).draw(images, 1, 8, GREY)
    jittered = PatchMixing(1, jitter=(0.4, 0.4, 0.2, 0.1)).draw(images, 1, 8, GREY)
    still = PatchMixing(1, jitter=(0, 0, 0, 0)).draw(images, 1, 8, GREY)
    assert torch.equal(plain.images, images[plain.index])
    torch.testing.assert_close(still.images, images[still.index])
    moved = jittered.images - images[jittered.index]
    assert (moved.abs().mean(dim=(1, 2, 3)) > 0.01).all() and not torch.allclose(moved[0], moved[1], atol=0.05)


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(share=0), 'mixing.share must be above 0'),
        (dict(share=1.2), 'mixing.share must be'),
        (dict(weight=-1), 'mixing.weight must not be negative'),
        (dict(cut_share=(0, 0.5)), 'mixing.cut_share must be'),
        (dict(cut_share=(0.6, 0.5)), 'mixing.cut_share must be'),
        (dict(jitter=(1, 1, 1)), 'mixing.jitter must be'),
        (dict(jitter=(1, 1, 1, 0.6)), 'mixing.jitter must be'),
    ],
)
def test_invalid_settings_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        PatchMixing(**settings)


# ---- the loss


def test_views_have_equal_weights_spread_over_their_kept_tokens():
    kept = torch.tensor([[[True, False], [False, False]], [[True, True], [True, False]], [[False] * 2] * 2])
    torch.testing.assert_close(
        token_weights(kept, torch.float64),
        torch.tensor([[[1, 0], [0, 0]], [[1 / 3, 1 / 3], [1 / 3, 0]], [[0, 0], [0, 0]]], dtype=torch.float64),
    )


def test_the_loss_of_a_hand_computed_case():
    mixed = SimpleNamespace(index=range(3))
    cosines = torch.tensor([0.5, -1.0, 0.2])
    losses = PatchMixing(weight=0.3).losses(-2 * cosines, cosines, torch.tensor([3.0, 1.0, 0.0]), mixed)
    assert losses['loss_mixing'].item() == pytest.approx(0.3 * -2 * (0.5 * 0.75 - 0.25))
    assert losses['cosine_mixing'].item() == pytest.approx(0.125) and losses['mixed_views'] == 3
    nothing = PatchMixing().losses(cosines, cosines, torch.zeros(3), mixed)
    assert nothing['loss_mixing'] == 0 and nothing['cosine_mixing'] == 0


def test_half_precision_tokens_are_compared_in_float32():
    maps = torch.full((1, 256, 2, 2), 200.0, dtype=torch.float16)  # 200^2 x 256 overflows float16
    cosines = token_cosines(maps, maps)
    assert cosines.dtype == torch.float32
    torch.testing.assert_close(cosines, torch.ones(1, 2, 2))


def test_pooled_vectors_are_means_of_kept_tokens():
    """For a box of whole cells pooled at their resolution, the mean is exact."""
    maps = torch.randn(2, 5, 4, 4)
    kept = torch.rand(2, 4, 4) < 0.5
    kept[1, 1:, 1:] = False  # the samples of a box reach half a token beyond it
    kept[1, 0, 0] = True
    boxes = torch.tensor([[0.0, 0, 4, 4], [2, 2, 4, 4]])
    vectors, shares = pool_kept(maps, kept, boxes, torch.tensor([0, 1]), 4)
    torch.testing.assert_close(vectors[0], maps[0][:, kept[0]].mean(dim=1))
    torch.testing.assert_close(shares, torch.tensor([kept[0].float().mean(), 0.0]))
    torch.testing.assert_close(vectors[1], maps[1][:, kept[1]].mean(dim=1))  # of the whole map
    maps[~kept.unsqueeze(1).expand_as(maps)] = 100.0
    assert torch.equal(pool_kept(maps, kept, boxes, torch.tensor([0, 1]), 4)[0], vectors)
