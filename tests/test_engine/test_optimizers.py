from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmssl_geo.engine import DecayGroupsConstructor, PerTensorClipAmpOptimWrapper
from mmssl_geo.engine.optimizers import optim_wrappers
from mmssl_geo.engine.optimizers.decay_groups import with_fused_kernel
from mmssl_geo.engine.optimizers.optim_wrappers import clip_each_
from mmssl_geo.utils.errors import UserError


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.cls_token = nn.Parameter(torch.ones(1, 1, 4))
        self.linear = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)
        self.scale = nn.Parameter(torch.ones(4))
        self.teacher = nn.Linear(4, 4).requires_grad_(False)


def build(net, kind='mmssl_geo.PerTensorClipOptimWrapper', **kwargs):
    cfg = dict(type=kind, optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.3), **kwargs)
    return DecayGroupsConstructor(cfg)(net)


def test_decay_on_everything_but_biases_and_1d_parameters():
    net = Net()
    groups = {group['decayed']: group for group in build(net).optimizer.param_groups}
    names = {id(param): name for name, param in net.named_parameters()}
    assert {names[id(p)] for p in groups[True]['params']} == {'cls_token', 'linear.weight'}
    assert {names[id(p)] for p in groups[False]['params']} == {'linear.bias', 'norm.weight', 'norm.bias', 'scale'}
    assert groups[True]['weight_decay'] == 0.3 and groups[False]['weight_decay'] == 0


@pytest.mark.parametrize('optimizer', [dict(type='AdamW'), dict(type='mmpretrain.LARS', momentum=0.9)])
def test_without_lr_the_rate_is_0_until_a_hook_sets_it(optimizer):
    wrapper = DecayGroupsConstructor(dict(type='OptimWrapper', optimizer=optimizer))(Net())
    assert [group['lr'] for group in wrapper.optimizer.param_groups] == [0, 0]


def cpu_scaler():
    if not hasattr(torch.amp, 'GradScaler'):
        pytest.skip('this torch scales losses on GPUs only')
    return torch.amp.GradScaler('cpu')


def test_a_resumed_run_keeps_its_own_kernels():
    """A checkpoint without the fused kernel must not switch it off: a loss scaler cannot do without it then."""

    def trained(fused):
        net = Net()
        cfg = dict(type='mmssl_geo.PerTensorClipOptimWrapper', optimizer=dict(type='AdamW', lr=0.1, fused=fused))
        wrapper = DecayGroupsConstructor(cfg)(net)
        wrapper.update_params(net.linear(torch.ones(1, 4)).sum())
        return net, wrapper

    cpu_scaler()  # such a torch has no fused kernels on CPUs either
    _, saved = trained(None)
    net, wrapper = trained(True)
    wrapper.load_state_dict(saved.state_dict())
    assert [group['fused'] for group in wrapper.optimizer.param_groups] == [True, True]
    assert [group['lr'] for group in wrapper.optimizer.param_groups] == [0.1, 0.1]
    scaler = cpu_scaler()
    scaler.scale(net.linear(torch.ones(1, 4)).sum()).backward()
    scaler.step(wrapper.optimizer)
    assert wrapper.optimizer.state[net.linear.weight]['step'] == 2
    assert [group['fused'] for group in saved.optimizer.param_groups] == [None, None], 'nothing else has changed'


def test_the_state_of_another_model_is_refused():
    wrapper, other = build(Net()), torch.optim.AdamW(Net().parameters())
    other.add_param_group(dict(params=[torch.ones(1, requires_grad=True)]))
    other.add_param_group(dict(params=[torch.ones(1, requires_grad=True)]))
    with pytest.raises(ValueError, match='different number of parameter groups'):
        wrapper.optimizer.load_state_dict(other.state_dict())


def test_an_unknown_precision_is_refused():
    with pytest.raises(UserError, match="dtype must be one of float16, bfloat16, float32, got 'half'"):
        build(Net(), 'mmssl_geo.PerTensorClipAmpOptimWrapper', dtype='half')


def test_paramwise_cfg_is_refused():
    with pytest.raises(ValueError, match='takes no paramwise_cfg'):
        DecayGroupsConstructor({}, dict(norm_decay_mult=0))


def test_each_tensor_is_clipped_by_its_own_norm():
    grads = [torch.full((4,), 5.0), torch.full((9,), 0.1), torch.zeros(2)]
    total = clip_each_(grads, 3.0)
    assert total.item() == pytest.approx((100 + 9 * 0.01) ** 0.5)
    assert grads[0].norm().item() == pytest.approx(3.0, rel=1e-6)
    assert torch.equal(grads[1], torch.full((9,), 0.1)), 'a small gradient stays, whatever the others are'
    assert grads[2].abs().sum() == 0


def test_the_wrapper_clips_before_the_step_and_keeps_the_norm():
    net = Net()
    wrapper = build(net, clip_grad=dict(max_norm=1.0))
    wrapper.optimizer = torch.optim.SGD(wrapper.optimizer.param_groups, lr=1.0)
    before = net.linear.weight.detach().clone()
    for group in wrapper.optimizer.param_groups:
        group['weight_decay'] = 0
    wrapper.update_params((net.linear.weight * 100).sum())
    assert (net.linear.weight - before).norm().item() == pytest.approx(0.1 * 1.0, rel=1e-5)  # learning rate x max_norm
    assert wrapper.grad_norm.item() == pytest.approx(400)


def test_accumulation_steps_once_with_the_mean_gradient():
    net = Net()
    wrapper = build(net, accumulative_counts=2)
    wrapper.optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    wrapper.initialize_count_status(net, 0, 4)
    before = net.scale.detach().clone()
    wrapper.update_params((net.scale * 2).sum())
    assert torch.equal(net.scale, before)
    wrapper.update_params((net.scale * 4).sum())
    torch.testing.assert_close(net.scale.detach(), before - 3)


@pytest.mark.skipif(torch.cuda.is_available(), reason='the fallback without a GPU')
def test_mixed_precision_without_a_gpu_is_float32():
    net = Net()
    wrapper = build(net, 'mmssl_geo.PerTensorClipAmpOptimWrapper', clip_grad=dict(max_norm=3.0), dtype='float16')
    assert isinstance(wrapper, PerTensorClipAmpOptimWrapper)
    with wrapper.optim_context(net):
        out = net.linear(torch.ones(1, 4))
    assert out.dtype == torch.float32
    wrapper.update_params(out.sum())
    state = wrapper.state_dict()
    assert state['loss_scaler'] == {}
    build(Net(), 'mmssl_geo.PerTensorClipAmpOptimWrapper').load_state_dict(state)


@pytest.mark.skipif(torch.cuda.is_available(), reason='bfloat16 on the CPU')
@pytest.mark.parametrize('kind', ['mmssl_geo.AmpOptimWrapper', 'mmssl_geo.PerTensorClipAmpOptimWrapper'])
def test_bfloat16_is_kept_on_a_cpu_that_multiplies_in_it(kind, monkeypatch):
    monkeypatch.setattr(optim_wrappers, 'cpu_supports_bfloat16', lambda: True)
    net = Net()
    wrapper = build(net, kind, clip_grad=dict(max_norm=3.0), dtype='bfloat16')
    with wrapper.optim_context(net):
        out = net.linear(torch.ones(1, 4))
    assert out.dtype == torch.bfloat16
    before = net.linear.weight.detach().clone()
    wrapper.update_params(out.float().sum())
    assert net.linear.weight.dtype == torch.float32 and not torch.equal(before, net.linear.weight)


@pytest.mark.skipif(torch.cuda.is_available(), reason='bfloat16 on the CPU')
@pytest.mark.parametrize(
    'capabilities, kept',
    [
        (dict(architecture='x86_64', avx512_bf16=True), True),
        (dict(architecture='x86_64', amx_bf16=True), True),
        (dict(architecture='x86_64', avx512_f=True, avx512_bf16=False, amx_bf16=False), False),
        (dict(architecture='aarch64'), True),
    ],
)
def test_bfloat16_becomes_float32_on_an_x86_cpu_without_its_instructions(capabilities, kept, monkeypatch):
    monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: capabilities, raising=False)
    net = Net()
    with build(net, 'mmssl_geo.AmpOptimWrapper', dtype='bfloat16').optim_context(net):
        out = net.linear(torch.ones(1, 4))
    assert out.dtype == (torch.bfloat16 if kept else torch.float32)


def test_a_checkpoint_from_a_cpu_resumes_with_a_live_loss_scaler():
    """An enabled scaler refuses an empty state; such a checkpoint resets it."""
    wrapper = build(Net(), 'mmssl_geo.PerTensorClipAmpOptimWrapper')
    wrapper.loss_scaler = cpu_scaler()
    wrapper.load_state_dict({**wrapper.optimizer.state_dict(), 'loss_scaler': {}})
    assert wrapper.loss_scaler.get_scale() == 65536


@pytest.mark.parametrize(
    'options,expected',
    [
        (dict(type='AdamW'), True),
        (dict(type='mmpretrain.LARS'), None),
        (dict(type='AdamW', fused=False), False),
        (dict(type='AdamW', foreach=True), None),
    ],
)
def test_the_fused_optimizer_is_taken_on_a_gpu(options, expected):
    on_gpu, on_cpu = [SimpleNamespace(is_cuda=True)], [torch.ones(2)]
    assert with_fused_kernel(options, on_gpu).get('fused') is expected
    assert with_fused_kernel(options, on_cpu) == options


def test_lars_adapts_and_decays_weights_and_leaves_1d_parameters_to_plain_momentum():
    """Rate of a decayed tensor: eta |w| / (|g| + wd |w|); two steps with momentum 0.9."""
    net = Net()
    optimizer = dict(type='mmpretrain.LARS', lr=0.5, momentum=0.9, weight_decay=0.1, eta=0.02)
    wrapper = DecayGroupsConstructor(dict(type='OptimWrapper', optimizer=optimizer))(net)
    weight, bias = net.linear.weight.detach().clone(), net.linear.bias.detach().clone()
    g_weight, g_bias = torch.randn(4, 4), torch.randn(4)
    move_weight, move_bias = torch.zeros(4, 4), torch.zeros(4)
    for _ in range(2):
        wrapper.update_params((net.linear.weight * g_weight).sum() + (net.linear.bias * g_bias).sum())
        rate = 0.02 * weight.norm() / (g_weight.norm() + 0.1 * weight.norm())
        move_weight = 0.9 * move_weight + 0.5 * rate * (g_weight + 0.1 * weight)
        move_bias = 0.9 * move_bias + 0.5 * g_bias
        weight, bias = weight - move_weight, bias - move_bias
    torch.testing.assert_close(net.linear.weight.detach(), weight)
    torch.testing.assert_close(net.linear.bias.detach(), bias)
