"""Effect of each switch of GTSA's head on the losses; test_ablation_runs.py covers the runs of docs/gtsa.md."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmssl_geo.models import DecorrelationLoss, PatchCorrespondenceLoss, RotationHead
from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError
from tests.support.pretraining import random_views, tiny_config

VIEWS = {'num_global': 2, 'num_local': 2}


def build(**options):
    model = MODELS.build(tiny_config(**options).model)
    model.init_weights()
    return model


@pytest.fixture
def make(default_scope):
    """GTSA models with equal weights and different options of the head."""
    full = build()

    def make_model(**options):
        model = build(**{f'model.head.{key}': value for key, value in options.items()})
        model.load_state_dict({name: full.state_dict()[name] for name in model.state_dict()})
        return model.double()

    return make_model


@pytest.fixture
def scene(make):
    """Predictions, teacher maps and pairs of a batch, as the head gets them; patch size 16."""
    views = random_views(batch_size=3, dtype=torch.double, **VIEWS)
    maps = {'global': torch.randn(6, 5, 4, 4).double(), 'local': torch.randn(6, 5, 2, 2).double()}
    teacher = torch.randn(6, 5, 4, 4).double()

    def crop_losses(head, kind, maps=maps, teacher=teacher, **changes):
        group = dataclasses.replace(views.pairs()[kind], **changes)
        return head.crop_losses(kind, maps[kind], teacher, group, 16)

    crop_losses.maps, crop_losses.teacher, crop_losses.pairs = maps, teacher, views.pairs()
    return crop_losses


# rotation sensitivity


@pytest.mark.parametrize('kind', ['global', 'local'])
@pytest.mark.parametrize('turn', [1, 2, 3])
def test_invariant_rotation_targets_do_not_change_with_any_turn(make, scene, kind, turn):
    """Turns the teacher's view, the student's view, or the recorded turns."""

    def turned_boxes(boxes, side):
        for _ in range(turn):
            x1, y1, x2, y2 = boxes.unbind(-1)
            boxes = torch.stack([y1, side - x2, y2, side - x1], dim=-1)
        return boxes

    side = {'global': 64, 'local': 32}
    changes = [
        dict(
            teacher=torch.rot90(scene.teacher, turn, (2, 3)),
            teacher_boxes_view=turned_boxes(scene.pairs[kind].teacher_boxes_view, 64),
        ),
        dict(
            maps={kind: torch.rot90(scene.maps[kind], turn, (2, 3))},
            student_boxes_view=turned_boxes(scene.pairs[kind].student_boxes_view, side[kind]),
        ),
        dict(relative_turns=(scene.pairs[kind].relative_turns + turn) % 4),
    ]
    invariant, sensitive = make(rotation_targets='invariant').head, make().head
    sensitive.pooled_sizes = invariant.pooled_sizes = dict(local=3)  # the default for a map of 2 x 2 cells is one cell
    for change in changes:
        torch.testing.assert_close(scene(invariant, kind, **change), scene(invariant, kind))
        assert ((scene(sensitive, kind, **change) - scene(sensitive, kind)).abs() > 1e-6).all()


@pytest.mark.parametrize('kind', ['global', 'local'])
def test_invariant_rotation_targets_average_the_loss_over_the_turns(make, scene, kind):
    head, sensitive = make(rotation_targets='invariant').head, make().head
    turns = scene.pairs[kind].relative_turns
    expected = sum(scene(sensitive, kind, relative_turns=torch.full_like(turns, turn)) for turn in range(4)) / 4
    torch.testing.assert_close(scene(head, kind), expected)


# rotation head


def test_without_a_rotation_head_there_is_no_rotation_loss(make, monkeypatch):
    views = random_views(dtype=torch.double)
    full, ablated = make(), make(rotation_head=None)
    expected = full(views, mode='loss')
    monkeypatch.setattr(RotationHead, 'loss', lambda *_: pytest.fail('called'))
    losses = ablated(views, mode='loss')
    assert set(expected) - set(losses) == {'loss_rotation', 'rotation_accuracy'}
    assert all(torch.equal(losses[name], expected[name]) for name in losses)
    assert (
        {name for name in full.state_dict() if name not in ablated.state_dict()}
        == {name for name in full.state_dict() if name.startswith('head.rotation_head.')}
        != set()
    )


# crop sensitivity


@pytest.mark.parametrize('kind', ['global', 'local'])
def test_invariant_crop_targets_do_not_change_with_the_boxes(make, scene, kind):
    invariant, sensitive = make(crop_targets='invariant').head, make().head
    moved = torch.tensor([1.0, 2.0, 30.0, 25.0]).double().expand_as(scene.pairs[kind].teacher_boxes_view)
    for change in (dict(teacher_boxes_view=moved), dict(student_boxes_view=moved)):
        assert torch.equal(scene(invariant, kind, **change), scene(invariant, kind))
        assert ((scene(sensitive, kind, **change) - scene(sensitive, kind)).abs() > 1e-4).all()
    turned = dict(relative_turns=scene.pairs[kind].relative_turns + 1)
    assert torch.equal(scene(invariant, kind, **turned), scene(invariant, kind))


def test_invariant_crop_targets_compare_the_means_of_whole_maps(make, scene):
    """Pair by pair: q, image, v; maps are view-major."""
    losses = scene(make(crop_targets='invariant').head, 'local').view(2, 3, 2)
    for q, image, v in np.ndindex(2, 3, 2):
        student, teacher = scene.maps['local'][v * 3 + image], scene.teacher[q * 3 + image]
        expected = -F.cosine_similarity(student.flatten(1).mean(1), teacher.flatten(1).mean(1), dim=0)
        torch.testing.assert_close(losses[q, image, v], expected)


@pytest.mark.parametrize('invariant,pooled', [('local', 'global'), ('global', 'local')])
def test_crop_targets_by_kind_of_view(make, scene, invariant, pooled):
    head = make(crop_targets=f'{invariant}_invariant').head
    assert torch.equal(scene(head, invariant), scene(make(crop_targets='invariant').head, invariant))
    assert torch.equal(scene(head, pooled), scene(make().head, pooled))
    assert not torch.equal(scene(head, invariant), scene(make().head, invariant))


def test_without_local_crops_only_global_pairs_count(make):
    model, views = make(), random_views(dtype=torch.double, **VIEWS)
    few = dataclasses.replace(
        views,
        local_images=torch.empty(0, 3, 0, 0).double(),
        crop_boxes_src=views.crop_boxes_src[:, :2],
        turns=views.turns[:, :2],
    )
    losses, features = model(few, mode='loss'), model.extract_feat(views.global_images)
    predictions, teacher = model.head.predictor(model.neck(features)), model.teacher(views.global_images)
    pairs = views.pairs()['global']
    crop = model.head.crop_losses('global', predictions, teacher, pairs, 16)
    correspondence = model.head.correspondence_losses(predictions, teacher, pairs)
    rotation, _ = model.head.rotation_head.loss([features], views.turns_by_kind()['global'])
    assert crop.shape == (4,)
    torch.testing.assert_close(losses['loss_crop'], crop.mean())
    torch.testing.assert_close(losses['loss_correspondence'], correspondence.mean() / 2)
    torch.testing.assert_close(losses['loss_rotation'], rotation.mean() / 2)


# patch correspondence and its gate


def test_without_correspondence_it_is_not_computed(make, monkeypatch):
    views = random_views(dtype=torch.double)
    expected = make()(views, mode='loss')
    monkeypatch.setattr(PatchCorrespondenceLoss, 'forward', lambda *_: pytest.fail('called'))
    losses = make(correspondence_loss=None)(views, mode='loss')
    assert set(expected) - set(losses) == {'loss_correspondence', 'match_cosine'}
    assert all(torch.equal(losses[name], expected[name]) for name in losses)


def test_without_the_gate_correspondence_counts_from_the_first_epoch(make):
    gated, ungated = make(), make(gate_correspondence=False)
    for model in (gated, ungated):
        model.set_epoch(0, warmup_epochs=10)
    views = random_views(dtype=torch.double)
    assert gated(views, mode='loss')['loss_correspondence'] == 0
    losses = ungated(views, mode='loss')
    assert losses['loss_correspondence'].requires_grad
    assert losses['loss_correspondence'].item() == pytest.approx(-losses['match_cosine'].item() / 2) and (
        losses['match_cosine'] > 0
    )


def test_without_the_crop_loss_the_other_losses_do_not_change(make):
    views = random_views(dtype=torch.double)
    expected = make()(views, mode='loss')
    losses = make(crop_loss=None, gate_correspondence=False)(views, mode='loss')
    assert set(expected) - set(losses) == {'loss_crop'}
    assert all(torch.equal(losses[name], expected[name]) for name in losses)


# decorrelation, for small data


def test_the_decorrelation_loss_is_added_to_the_other_losses(make):
    """It uses the backbone's patch tokens of all global views together."""
    views = random_views(dtype=torch.double)
    expected = make()(views, mode='loss')
    model = make(decorrelation_loss=dict(type='mmssl_geo.DecorrelationLoss'), decorrelation_weight=4.0)
    losses = model(views, mode='loss')
    assert set(losses) - set(expected) == {'loss_decorrelation'}
    assert all(torch.equal(losses[name], expected[name]) for name in expected)
    maps = model.student_features(views)['global']
    tokens = maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])
    torch.testing.assert_close(losses['loss_decorrelation'], 4 * DecorrelationLoss()(tokens))
    assert losses['loss_decorrelation'].item() > 0 and losses['loss_decorrelation'].requires_grad


# invalid options


@pytest.mark.parametrize(
    'options,message',
    [
        ({'rotation_targets': 'fixed'}, "head.rotation_targets must be 'turned' or 'invariant', got 'fixed'"),
        ({'rotation_targets': None}, "head.rotation_targets must be 'turned' or 'invariant', got None"),
        ({'crop_targets': 'invarant'}, "head.crop_targets must be 'pooled' or 'invariant' or .*, got 'invarant'"),
        ({'crop_targets': None}, "crop_targets .* or 'local_invariant' or 'global_invariant', got None"),
        ({'crop_targets.local': 'invariant'}, "crop_targets .*, got {'local': 'invariant'}"),
        (
            {'rotation_head': False},
            'head.rotation_head must be a config, or None .*, got False: .*head.rotation_head=None',
        ),
        ({'crop_loss': False}, 'head.crop_loss must be a config, or None .*, got False: .*head.crop_loss=None'),
        (
            {'correspondence_loss': 'none'},
            "head.correspondence_loss must be .*, got 'none': .*correspondence_loss=None",
        ),
        ({'gate_correspondence': 'off'}, "head.gate_correspondence must be True or False, got 'off'"),
        ({'crop_loss': None}, 'crop_loss=None leaves the predictor without a loss.*gate_correspondence=False'),
        (
            {'crop_loss': None, 'gate_correspondence': False, 'correspondence_loss': None, 'rotation_head': None},
            'crop_loss=None leaves the predictor without a loss.*keep model.head.correspondence_loss',
        ),
    ],
)
def test_invalid_switches_are_user_errors(default_scope, options, message):
    with pytest.raises(UserError, match=message):
        build(**{f'model.head.{key}': value for key, value in options.items()})
