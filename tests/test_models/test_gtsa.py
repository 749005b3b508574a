import pytest
import torch
from mmengine.config import Config

from mmssl_geo.models.heads import gtsa_head
from mmssl_geo.models.losses import PatchCorrespondenceLoss
from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import NonFiniteLossError, UserError
from tests.support import ROOT
from tests.support.pretraining import random_views, tiny_config


@pytest.fixture
def model(default_scope):
    model = MODELS.build(tiny_config().model)
    model.init_weights()
    return model


def total(losses):
    return sum(value for name, value in losses.items() if 'loss' in name)


def test_losses_of_a_batch(model):
    losses = model(random_views(), mode='loss')
    assert set(losses) == {'loss_crop', 'loss_correspondence', 'loss_rotation', 'match_cosine', 'rotation_accuracy'}
    assert -1 <= losses['loss_crop'] <= 1
    assert losses['loss_correspondence'].item() == pytest.approx(-0.5 * losses['match_cosine'].item())
    assert 0 < losses['loss_rotation'] < 2


def test_the_gradient_reaches_the_whole_student_and_never_the_teacher(model):
    total(model(random_views(), mode='loss')).backward()
    for name, param in model.named_parameters():
        if name.startswith('teacher.'):
            assert not param.requires_grad and param.grad is None, name
        else:
            assert param.grad is not None and param.grad.abs().sum() > 0, name


def test_the_losses_average_over_pairs_not_over_kinds(model, monkeypatch):
    """2 global and 6 local pairs are weighted 2 : 6."""
    views = random_views(num_local=3)
    crop = {'global': torch.full((4,), -1.0), 'local': torch.zeros(12)}
    monkeypatch.setattr(gtsa_head.GTSAHead, 'crop_losses', lambda self, kind, *args: crop[kind])
    assert model(views, mode='loss')['loss_crop'].item() == pytest.approx(-2 / 8)


def test_rotation_loss_averages_over_all_views(model):
    views = random_views()
    features = {kind: model.extract_feat(images) for kind, images in views.images().items()}
    logits = torch.cat([model.head.rotation_head(maps) for maps in features.values()])
    turns = torch.cat(list(views.turns_by_kind().values()))
    expected = torch.nn.functional.cross_entropy(logits, turns) * 0.5
    torch.testing.assert_close(model(views, mode='loss')['loss_rotation'], expected)


def test_the_correspondence_loss_starts_after_the_warmup(model):
    views = random_views()
    model.set_epoch(10, warmup_epochs=10)
    closed = model(views, mode='loss')
    assert closed['loss_correspondence'] == 0 and not closed['loss_correspondence'].requires_grad
    assert closed['match_cosine'] > 0
    model.set_epoch(11, warmup_epochs=10)
    opened = model(views, mode='loss')
    assert opened['loss_correspondence'] < 0
    torch.testing.assert_close(opened['loss_crop'], closed['loss_crop'])


def test_the_teacher_is_an_exponential_moving_average(model):
    for param in model.backbone.parameters():
        param.data.add_(1.0)
    teacher = {name: param.clone() for name, param in model.teacher.named_parameters()}
    student = {
        **{f'backbone.{n}': p for n, p in model.backbone.named_parameters()},
        **{f'neck.{n}': p for n, p in model.neck.named_parameters()},
    }
    model.update_teacher(0.9)
    for name, param in model.teacher.named_parameters():
        torch.testing.assert_close(param, 0.9 * teacher[name] + 0.1 * student[name])
    model.update_teacher(1.0)
    for name, param in model.teacher.named_parameters():
        torch.testing.assert_close(param, 0.9 * teacher[name] + 0.1 * student[name])


def test_teacher_starts_as_a_copy_without_drop_path(default_scope):
    model = MODELS.build(tiny_config(**{'model.backbone.drop_path_rate': 0.5}).model)
    model.init_weights()
    for name, value in model.backbone.state_dict().items():
        assert torch.equal(value, model.teacher.backbone.state_dict()[name])
    rates = [module.drop_prob for module in model.teacher.modules() if hasattr(module, 'drop_prob')]
    assert all(rate == 0 for rate in rates)
    assert max(module.drop_prob for module in model.backbone.modules() if hasattr(module, 'drop_prob')) == 0.5


def test_a_wrong_relative_turn_changes_the_crop_loss(model):
    views = random_views()
    right = model(views, mode='loss')['loss_crop']
    wrong = type(views)(**{**vars(views), 'turns': (views.turns + torch.arange(4)) % 4})
    assert (model(wrong, mode='loss')['loss_crop'] - right).abs() > 1e-5


def test_a_loss_that_is_not_finite_stops_the_run(model):
    with pytest.raises(NonFiniteLossError, match='loss_crop is not finite.*--resume'):
        model.parse_losses(dict(loss_crop=torch.tensor(float('nan')), loss_rotation=torch.tensor(1.0)))


def test_widths_follow_the_backbone(default_scope):
    cfg = Config.fromfile(ROOT / 'configs/gtsa_vits16_coco.py')
    cfg.merge_from_dict({'model.backbone.arch': 'deit-tiny'})
    model = MODELS.build(cfg.model)
    assert model.neck.blocks[0].conv.weight.shape == (192, 192, 3, 3)
    assert model.neck.proj.weight.shape == (768, 192, 1, 1)
    assert model.head.predictor.proj.weight.shape == (768, 768, 1, 1)
    assert model.head.rotation_head.mlp[0].weight.shape == (768, 192)


def test_the_network_of_the_paper(default_scope):
    model = MODELS.build(Config.fromfile(ROOT / 'configs/gtsa_vits16_coco.py').model)
    assert model.backbone.embed_dims == 384 and len(model.backbone.layers) == 12
    assert model.backbone.pos_embed.shape == (1, 197, 384)
    assert len(model.neck.blocks) == 2 and all(block.residual for block in model.neck.blocks)
    assert model.neck.blocks[0].conv.weight.shape == (384, 384, 3, 3) and model.neck.proj.out_channels == 768
    assert [block.residual for block in model.head.predictor.blocks] == [False]
    assert model.head.predictor.blocks[0].conv.weight.shape == (768, 768, 3, 3)
    widths = [layer.out_features for layer in model.head.rotation_head.mlp if hasattr(layer, 'out_features')]
    assert widths == [768, 768, 128, 4]
    model.init_weights()
    for conv in (model.neck.blocks[0].conv, model.head.predictor.proj):
        assert conv.weight.std().item() == pytest.approx(0.02, rel=0.05) and conv.bias.abs().max() == 0


@pytest.mark.parametrize('patch_size,sizes,matches', [(16, (10, 4), (98, 18)), (8, (20, 8), (392, 72))])
def test_pooled_sizes_and_matches_follow_the_patch(patch_size, sizes, matches):
    sides = 224 // patch_size, 96 // patch_size
    assert tuple(gtsa_head._default_pooled_size(k, s) for k, s in zip(('global', 'local'), sides, strict=True)) == sizes
    for side, count in zip(sides, matches, strict=True):
        student, teacher = torch.randn(side**2, 8), torch.randn(5, 8)
        cosine = torch.nn.functional.cosine_similarity(teacher[:, None], student[None], dim=-1)
        of_student = cosine.amax(0).sort(descending=True).values[:count].mean()
        of_teacher = cosine.amax(1).sort(descending=True).values[:count].mean()
        loss = PatchCorrespondenceLoss()(student[None, None, None], teacher[None, None])
        torch.testing.assert_close(loss.squeeze(), -(of_student + of_teacher) / 2)


def test_the_teacher_has_no_dropout(default_scope):
    model = MODELS.build(tiny_config(**{'model.backbone.drop_rate': 0.5}).model)
    model.train()
    images = random_views().global_images
    assert model.backbone.training and not model.teacher.backbone.training
    assert torch.equal(model.teacher(images), model.teacher(images))
    assert not torch.equal(model.extract_feat(images), model.extract_feat(images))


def test_view_sizes_must_be_multiples_of_the_patch_size(model):
    with pytest.raises(UserError, match='local views of 40 px cannot be cut into patches of 16 px: set .*local_size'):
        model(random_views(local_size=40), mode='loss')


def test_unknown_mode(model):
    with pytest.raises(ValueError, match='mode must be'):
        model(random_views(), mode='predict')


def test_pooled_sizes_can_be_set_in_a_config(default_scope):
    cfg = tiny_config(**{'model.head.pooled_sizes': (5, 3)})
    assert '(' in cfg.pretty_text  # mmengine writes it into every log and checkpoint
    assert MODELS.build(cfg.model).head.pooled_sizes == {'global': 5, 'local': 3}
    for wrong in ((5,), (5, 0), (5, 2.5)):
        cfg.model.head.pooled_sizes = wrong
        with pytest.raises(UserError, match='pooled_sizes must be None or two positive integers'):
            MODELS.build(cfg.model)
