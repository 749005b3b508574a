"""A training step does not synchronise with the device.

The step runs on torch's `meta` device, whose tensors have no values: whatever needs one on the host (`item`, `bool`,
`tolist`, `nonzero`, a mask as index) raises there, as it would wait on a GPU.
"""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch.utils._python_dispatch import TorchDispatchMode

from mmssl_geo.engine import DecayGroupsConstructor
from mmssl_geo.registry import MODELS
from tests.support.pretraining import random_views, tiny_config
from tests.support.regions import TINY_VIT, d3ssl_config, random_regions


class NoBlockingCopies(TorchDispatchMode):
    """Fails where the host hands over values and waits until they have arrived."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if func._schema.name in ('aten::_to_copy', 'aten::copy_'):
            source = args[0] if func._schema.name == 'aten::_to_copy' else args[1]
            blocking = not (kwargs or {}).get('non_blocking', len(args) > 2 and args[2])
            assert not (source.is_cpu and out.is_meta and blocking), f'{func} waits for the device'
        return out


@pytest.fixture(autouse=True)
def _autocast_of_meta(monkeypatch):
    """Replaces autocast of the meta device, which torch does not support."""
    autocast = torch.autocast
    monkeypatch.setattr(
        torch, 'autocast', lambda device_type, **options: autocast(device_type.replace('meta', 'cpu'), **options)
    )


def on_meta(batch, device='meta'):
    """A batch of views with its tensors on the meta device, or on another one; `flipped` stays on the CPU."""
    move = {
        name: {key: value.to(device) for key, value in field.items()}
        if isinstance(field, dict)
        else field.to(device)
        if isinstance(field, torch.Tensor) and name != 'flipped'
        else field
        for name, field in vars(batch).items()
    }
    return type(batch)(**move)


def require_norms_on_meta():
    """Skips a test under a torch that cannot clip gradients on `meta` (2.1)."""
    try:
        torch._foreach_norm([torch.ones(1, device='meta')])
    except NotImplementedError:
        pytest.skip('this torch has no norms of lists of tensors on meta')


def step(model, batch):
    """Forward, losses, backward, clipping, optimizer and teacher."""
    require_norms_on_meta()
    wrapper = DecayGroupsConstructor(
        dict(
            type='mmssl_geo.PerTensorClipOptimWrapper',
            optimizer=dict(type='AdamW', lr=0.1, foreach=True),
            clip_grad=dict(max_norm=3.0),
        )
    )(model)
    with NoBlockingCopies():
        model.update_teacher(0.99)
        total, log = model.parse_losses(model(batch, mode='loss'))
        wrapper.update_params(total)
    return wrapper, log


@pytest.mark.parametrize('name', ['gtsa_vits16_coco', 'gtsa_vits16_small-data', 'dino_vits16_coco'])
def test_a_step_on_views(name, default_scope):
    model = MODELS.build(tiny_config(f'configs/{name}.py', **{'model.backbone.drop_path_rate': 0.1}).model)
    wrapper, log = step(model.to('meta').train(), on_meta(random_views(3, num_local=2)))
    assert log['loss'].is_meta and wrapper.grad_norm.is_meta


def steps_of_config(name, device, before_step):
    """Three steps by the config's own optimizer wrapper, float16 on a GPU; returns the weights' change."""
    cfg = tiny_config(f'configs/{name}.py', **{'optim_wrapper.optimizer.lr': 5e-4})  # no ScheduleHook sets it
    model = MODELS.build(cfg.model).to(device).train()
    wrapper, batch = build_optim_wrapper(model, cfg.optim_wrapper), on_meta(random_views(3, num_local=2), device)
    before = [param.detach().clone() for param in model.parameters()]
    for number in range(3):
        before_step(number)
        model.update_teacher(0.99)
        with wrapper.optim_context(model):
            total, _ = model.parse_losses(model(batch, mode='loss'))
        wrapper.update_params(total)
    return sum((new.detach() - old).abs().sum() for new, old in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize('name', ['gtsa_vits16_coco', 'gtsa_vits16_small-data', 'dino_vits16_coco'])
def test_steps_by_the_configs_own_wrapper(name, default_scope):
    assert 0 < steps_of_config(name, 'cpu', before_step=lambda number: None) < float('inf')


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('name', ['gtsa_vits16_coco', 'gtsa_vits16_small-data', 'dino_vits16_coco'])
def test_a_gpu_sees_no_waiting(name, default_scope):
    """Uses torch's own check; the first step may wait while buffers and the scaler are created."""
    try:
        change = steps_of_config(
            name, 'cuda', lambda number: torch.cuda.set_sync_debug_mode('error' if number else 'default')
        )
    finally:
        torch.cuda.set_sync_debug_mode('default')
    assert 0 < change < float('inf')


@pytest.mark.parametrize('backbone', [None, TINY_VIT])
def test_a_step_on_regions(backbone, default_scope):
    wrapper, log = step(MODELS.build(d3ssl_config(backbone)).to('meta').train(), on_meta(random_regions()))
    assert log['loss_dp'].is_meta and wrapper.grad_norm.is_meta


@pytest.mark.parametrize('num_global', [2, 3])
def test_pairs_of_views_are_made_on_the_device(num_global):
    views = on_meta(random_views(2, num_global=num_global))
    with NoBlockingCopies():
        groups = views.pairs()
    assert all(field.is_meta for group in groups.values() for field in vars(group).values())


def test_the_preprocessor(default_scope):
    batch = dict(
        inputs=dict(
            **{'global': torch.zeros(3, 2, 3, 32, 32, dtype=torch.uint8)},
            local=torch.zeros(3, 2, 3, 16, 16, dtype=torch.uint8),
        ),
        crop_boxes_src=torch.zeros(3, 4, 4),
        turns=torch.zeros(3, 4, dtype=torch.long),
        flipped=torch.zeros(3, 4, dtype=torch.bool),
        photometric_params=torch.zeros(3, 4, 11),
    )
    preprocessor = MODELS.build(dict(type='mmssl_geo.MultiViewDataPreprocessor')).to('meta')
    with NoBlockingCopies():
        views = preprocessor(batch)['views']
    assert views.local_images.is_meta and views.local_images.shape == (6, 3, 16, 16)


def test_the_guard_sees_waiting():
    for wait in (lambda x: x.sum().item(), lambda x: bool(x.any()), lambda x: x[x > 0], lambda x: x.nonzero()):
        with pytest.raises((RuntimeError, NotImplementedError)):
            wait(torch.ones(3, device='meta'))
    with NoBlockingCopies(), pytest.raises(AssertionError, match='waits for the device'):
        torch.ones(3).to('meta')
    with NoBlockingCopies():
        torch.ones(3).to('meta', non_blocking=True)
