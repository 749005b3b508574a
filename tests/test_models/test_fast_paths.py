"""Half precision, compilation and activation checkpointing compared with a plain step."""

import contextlib
import shutil
from types import SimpleNamespace

import pytest
import torch

from mmssl_geo.engine import CompileHook
from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError
from tests.support.pretraining import random_views, tiny_config

# Bounds against float32: each loss; all gradients together, relative to their norm, without and with matched tokens
# (where two cosines nearly tie, the match may change).
BOUNDS = {torch.bfloat16: (5e-3, 2e-2, 0.1), torch.float16: (1e-3, 5e-3, 0.1)}


def build(**options):
    torch.manual_seed(0)
    model = MODELS.build(tiny_config(**options).model)
    model.init_weights()
    return model.train()


def losses_and_gradients(model, dtype=torch.float32, seed=1):
    """Losses of one batch, and all gradients of the student by name."""
    torch.manual_seed(seed)  # drop path
    model.zero_grad()
    with torch.autocast('cpu', dtype=dtype) if dtype != torch.float32 else contextlib.nullcontext():
        losses = model(random_views(num_local=2), mode='loss')
    model.parse_losses(losses)[0].backward()
    gradients = {name: param.grad.clone() for name, param in model.named_parameters() if param.grad is not None}
    return {name: value.detach() for name, value in losses.items() if 'loss' in name}, gradients


def gradient_error(ours, theirs):
    """Norm of the difference of all gradients together, relative to their norm."""
    assert ours.keys() == theirs.keys()
    difference = torch.stack([(ours[name] - theirs[name]).norm() for name in ours]).norm()
    return (difference / torch.stack([value.norm() for value in theirs.values()]).norm()).item()


@pytest.mark.parametrize('dtype', [torch.bfloat16, pytest.param(torch.float16, marks=pytest.mark.slow)])
def test_half_precision_stays_within_bounds(dtype, default_scope):
    model = build()
    loss_bound, *gradient_bounds = BOUNDS[dtype]
    for matching, gradient_bound in zip((False, True), gradient_bounds, strict=True):
        model.head.set_gate(matching)
        expected, gradients = losses_and_gradients(model)
        losses, half_gradients = losses_and_gradients(model, dtype)
        for name, value in losses.items():
            assert value.dtype == torch.float32
            assert abs(value - expected[name]) < loss_bound, name
        assert 0 < gradient_error(half_gradients, gradients) < gradient_bound


def test_regions_and_losses_are_float32_under_autocast(default_scope):
    model, seen = build(), []
    for loss in (model.head.crop_loss, model.head.correspondence_loss):
        loss.register_forward_pre_hook(lambda _, inputs: seen.extend(x.dtype for x in inputs[:2]))
    losses_and_gradients(model, torch.bfloat16)
    assert len(seen) == 8 and set(seen) == {torch.float32}


def test_activation_checkpointing_changes_no_gradient(default_scope):
    plain = build(**{'model.backbone.drop_path_rate': 0.3})
    recomputed = build(**{'model.backbone.drop_path_rate': 0.3, 'model.backbone.with_cp': True})
    assert recomputed.state_dict().keys() == plain.state_dict().keys()
    calls = []
    recomputed.backbone.layers[1].attn.register_forward_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    (losses, gradients), (expected, expected_gradients) = map(losses_and_gradients, (recomputed, plain))
    assert len(calls) == 4, 'both kinds of views, each recomputed in the backward pass'
    assert all(torch.equal(losses[name], expected[name]) for name in expected)
    assert gradient_error(gradients, expected_gradients) == 0


def compile_parts(model, **options):
    messages = []
    CompileHook(**options).before_train(SimpleNamespace(model=model, logger=SimpleNamespace(info=messages.append)))
    return messages


def test_compiled_parts_keep_names_and_values(default_scope):
    plain, compiled = build(), build()
    assert 'teacher.backbone' in compile_parts(compiled, backend='eager')[0]
    assert compiled.state_dict().keys() == plain.state_dict().keys()
    (losses, gradients), (expected, expected_gradients) = map(losses_and_gradients, (compiled, plain))
    for name in expected:
        torch.testing.assert_close(losses[name], expected[name])
    assert gradient_error(gradients, expected_gradients) < 1e-5


def test_parts_that_cannot_be_compiled_are_refused(default_scope):
    with pytest.raises(UserError, match="no part 'neck.other': correct default_hooks.compile.parts"):
        compile_parts(build(), parts=('neck.other',))
    with pytest.raises(UserError, match='cannot compile a model that mixes patches: set model.mixing=None'):
        compile_parts(build(**{'model.mixing': dict(type='mmssl_geo.PatchMixing')}))


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which('g++'), reason='compiling for a CPU needs a C++ compiler')
@pytest.mark.parametrize('dtype,bound', [(torch.float32, 1e-5), (torch.bfloat16, BOUNDS[torch.bfloat16][2])])
def test_a_compiled_step_equals_the_eager_one(dtype, bound, default_scope):
    plain, compiled = build(), build()
    compile_parts(compiled)
    expected, expected_gradients = losses_and_gradients(plain)
    losses, gradients = losses_and_gradients(compiled, dtype)
    for name in expected:
        assert abs(losses[name] - expected[name]) < bound
    assert gradient_error(gradients, expected_gradients) < bound
