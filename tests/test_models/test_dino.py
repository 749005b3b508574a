import copy

import pytest
import torch
from mmengine.config import Config

from mmssl_geo.checkpoints import load_encoder
from mmssl_geo.models import DINONeck
from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError
from tests.support import ROOT
from tests.support.pretraining import random_views, tiny_config

CONFIG = 'configs/dino_vits16_coco.py'
PROTOTYPES = 'last_layer.parametrizations.weight.original1'
MAGNITUDE = 'last_layer.parametrizations.weight.original0'


@pytest.fixture
def model(default_scope):
    model = MODELS.build(tiny_config(CONFIG).model)
    model.init_weights()
    return model


def small_neck(**kwargs):
    neck = DINONeck(in_channels=12, hidden_channels=10, bottleneck_channels=6, num_prototypes=9, **kwargs)
    neck.init_weights()
    return neck


def test_the_neck_matches_the_definition():
    """MLP of three layers on [CLS], then cosines with the prototypes."""
    neck, tokens = small_neck(), torch.randn(4, 5, 12)
    for param in neck.mlp.parameters():
        param.data.normal_()
    first, second, third = (layer for layer in neck.mlp if isinstance(layer, torch.nn.Linear))
    gelu = torch.nn.functional.gelu
    hidden = third(gelu(second(gelu(first(tokens[:, 0])))))
    prototypes = dict(neck.named_parameters())[PROTOTYPES]
    expected = torch.cosine_similarity(hidden[:, None], prototypes[None], dim=-1)
    torch.testing.assert_close(neck(tokens), expected)
    assert expected.abs().max() > 0.3


def test_the_magnitude_of_prototypes_is_frozen_or_learnt():
    frozen, learnt = (dict(small_neck(norm_last_layer=norm).named_parameters()) for norm in (True, False))
    for params, requires_grad in ((frozen, False), (learnt, True)):
        assert params[MAGNITUDE].shape == (9, 1) and (params[MAGNITUDE] == 1).all()
        assert params[MAGNITUDE].requires_grad == requires_grad and params[PROTOTYPES].requires_grad


def test_initialisation():
    neck = DINONeck(in_channels=64, hidden_channels=256, bottleneck_channels=64, num_prototypes=512)
    neck.init_weights()
    for layer in neck.mlp[::2]:
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.06) and layer.bias.abs().max() == 0
    prototypes = dict(neck.named_parameters())[PROTOTYPES]
    assert prototypes.abs().max() <= 64**-0.5 and prototypes.std().item() == pytest.approx((3 * 64) ** -0.5, rel=0.03)


def test_a_copied_neck_is_independent():
    """The normalised weight is recomputed in a deep copy and after loading."""
    neck, tokens = small_neck(), torch.randn(3, 1, 12)
    before, copied, loaded = neck(tokens), copy.deepcopy(neck), small_neck()
    loaded.load_state_dict(neck.state_dict())
    dict(neck.named_parameters())[PROTOTYPES].data.normal_()
    assert not torch.allclose(neck(tokens), before)
    assert torch.equal(copied(tokens), before) and torch.equal(loaded(tokens), before)
    assert set(neck.state_dict()) >= {PROTOTYPES, MAGNITUDE}


def test_losses_of_a_batch(model):
    losses = model(random_views(), mode='loss')
    assert set(losses) == {'loss_dino', 'teacher_entropy', 'teacher_kl'}
    total, logs = model.parse_losses(losses)
    assert torch.equal(total, losses['loss_dino']) and 'teacher_kl' in logs


def test_scores_of_students_and_teachers_views(model):
    """Scores of every view one by one, [CLS] after the final LayerNorm; the teacher sees the global views."""
    for param in model.teacher.parameters():
        param.data.add_(0.05 * torch.randn_like(param))
    views, batch, seen = random_views(batch_size=3), 3, {}
    model.head.loss = lambda student, teacher: seen.update(student=student, teacher=teacher)
    model.loss(views)
    assert seen['student'].shape == (4, batch, 24) and seen['teacher'].shape == (2, batch, 24)
    for v in range(4):
        images = views.global_images if v < 2 else views.local_images
        image = images[(v % 2) * batch + 1][None]
        tokens = model.backbone(image)[-1]
        torch.testing.assert_close(tokens.mean(dim=-1), torch.zeros_like(tokens[..., 0]), atol=1e-5, rtol=0)
        torch.testing.assert_close(seen['student'][v, 1], model.neck(tokens)[0], atol=1e-5, rtol=1e-4)
        if v < 2:
            expected = model.teacher.neck(model.teacher.backbone(image)[-1])[0]
            torch.testing.assert_close(seen['teacher'][v, 1], expected, atol=1e-5, rtol=1e-4)
            assert not torch.allclose(seen['teacher'][v, 1], seen['student'][v, 1], atol=1e-3)


def test_the_gradient_reaches_the_whole_student_and_never_the_teacher(model):
    for _ in range(2):  # the second step has a non-zero centre
        loss = model(random_views(), mode='loss')['loss_dino']
    loss.backward()
    for name, param in model.named_parameters():
        if name.startswith('teacher.') or name.endswith('original0'):
            assert not param.requires_grad and param.grad is None, name
        else:
            assert param.grad is not None and param.grad.abs().sum() > 0, name


def test_the_teacher_averages_directions_and_magnitudes(default_scope):
    """As in the official code, the EMA runs over the stored parameters, not over the normalised prototypes."""
    model = MODELS.build(tiny_config(CONFIG, **{'model.neck.norm_last_layer': False}).model)
    model.init_weights()
    student, teacher = (dict(neck.named_parameters()) for neck in (model.neck, model.teacher.neck))
    for name in (PROTOTYPES, MAGNITUDE):
        student[name].data.normal_()
    expected = {name: 0.7 * teacher[name] + 0.3 * student[name] for name in (PROTOTYPES, MAGNITUDE)}
    model.update_teacher(0.7)
    for name, value in expected.items():
        torch.testing.assert_close(teacher[name], value)
    weight = expected[MAGNITUDE] * torch.nn.functional.normalize(expected[PROTOTYPES], dim=1)
    torch.testing.assert_close(model.teacher.neck.last_layer.weight, weight)


def test_the_teacher_starts_as_a_copy(model):
    for name, value in model.neck.state_dict().items():
        assert torch.equal(value, model.teacher.neck.state_dict()[name])


def test_teacher_tokens_equal_those_of_gtsa(model, default_scope):
    """The collapse monitor computes the same values for both methods with the same backbone."""
    other = MODELS.build(tiny_config('configs/gtsa_vits16_coco.py').model)
    other.teacher.backbone.load_state_dict(model.teacher.backbone.state_dict())
    images = random_views().global_images
    tokens = model.teacher_tokens(images)
    assert tokens.shape == (4, 16, 24) and torch.equal(tokens, other.teacher_tokens(images))


def test_the_network_of_the_paper(default_scope):
    model = MODELS.build(Config.fromfile(ROOT / CONFIG).model)
    assert model.backbone.embed_dims == 384 and len(model.backbone.layers) == 12
    widths = [(layer.in_features, layer.out_features) for layer in model.neck.mlp if hasattr(layer, 'in_features')]
    assert widths == [(384, 2048), (2048, 2048), (2048, 256)]
    assert model.neck.last_layer.weight.shape == (65536, 256) and model.neck.last_layer.bias is None
    assert model.head.center.shape == (65536,) and model.head.loss_module.student_temperature == 0.1
    assert model.head.center_momentum == 0.9
    assert not dict(model.neck.named_parameters())[MAGNITUDE].requires_grad


def test_fewer_prototypes(default_scope):
    model = MODELS.build(tiny_config(CONFIG, **{'model.neck.num_prototypes': 5}).model)
    assert model.head.center.shape == (5,) and model.neck.last_layer.weight.shape == (5, 16)


@pytest.mark.parametrize('out_type', ['featmap', 'cls_token', 'avg_featmap', 'rwa', None])
def test_a_backbone_without_tokens_is_refused(default_scope, out_type):
    with pytest.raises(UserError, match=rf"model\.backbone\.out_type must be 'raw' .*, got {out_type!r}"):
        MODELS.build(tiny_config(CONFIG, **{'model.backbone.out_type': out_type}).model)


@pytest.mark.parametrize('key', ['in_channels', 'hidden_channels', 'bottleneck_channels', 'num_prototypes'])
@pytest.mark.parametrize('value', [0, -3, 2.5, '9'])
def test_invalid_widths_are_refused(default_scope, key, value):
    with pytest.raises(UserError, match=rf'DINONeck: {key} must be a positive whole number, got {value!r}'):
        MODELS.build(tiny_config(CONFIG, **{f'model.neck.{key}': value}).model)


def test_the_converter_reads_teacher_and_student(model, tmp_path):
    for param in model.teacher.parameters():
        param.data.add_(0.1 * torch.randn_like(param))
    torch.save(dict(meta={}, state_dict=model.state_dict()), tmp_path / 'epoch_1.pth')
    images = random_views().global_images
    for role, backbone in (('teacher', model.teacher.backbone), ('student', model.backbone)):
        encoder = load_encoder(str(tmp_path / 'epoch_1.pth'), weights=role, num_heads=2)
        tokens = backbone(images)[-1][:, 1:]
        torch.testing.assert_close(encoder.net(images)[-1].flatten(2).transpose(1, 2), tokens)
