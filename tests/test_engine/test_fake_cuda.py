"""The forward part of training steps on fake CUDA tensors: they have a device and a shape but no values.

An operation on tensors of two devices fails, and so does whatever needs a value on the host, where a real step would
wait for the GPU. Unlike on `meta`, CPU and CUDA tensors differ, and autocast takes its CUDA path. torch runs the
backward pass of CUDA tensors on a GPU only; test_no_waiting.py has it on `meta`.
"""

import contextlib

import pytest
import torch
from torch._subclasses import fake_tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from mmssl_geo.models.losses.patch_correspondence_loss import PatchCorrespondenceLoss
from mmssl_geo.registry import MODELS
from mmssl_geo.structures import ViewBatch
from tests.support.pretraining import tiny_config
from tests.support.regions import TINY_VIT, d3ssl_config

if not hasattr(fake_tensor, 'unset_fake_temporarily'):
    pytest.skip('this torch cannot leave the fake mode', allow_module_level=True)

VIEW_CONFIGS = ['gtsa_vits16_coco', 'gtsa_vits16_small-data', 'dino_vits16_coco']
MIXING = dict(share=0.5)  # torchvision's ColorJitter draws on the CPU


@contextlib.contextmanager
def fake_cuda(monkeypatch):
    """Makes new tensors fake and lets autocast treat CUDA as available. What reads or draws on the CPU is replaced."""
    monkeypatch.setattr(torch.cuda.amp.common, 'amp_definitely_not_available', lambda: False)
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda *_: True)
    monkeypatch.setattr(torch, 'randint', lambda *_: 1)  # drawn on the CPU
    monkeypatch.setattr(ViewBatch, 'any_flipped', property(lambda views: False))  # reads a tensor on the CPU
    with FakeTensorMode():
        yield


def samples_of_views(photometric):
    """A collated batch on the CPU, as a data loader gives it."""
    batch, num_global, num_local = 3, 2, 2
    data = dict(
        inputs=dict(
            **{'global': torch.zeros(batch, num_global, 3, 64, 64, dtype=torch.uint8)},
            local=torch.zeros(batch, num_local, 3, 32, 32, dtype=torch.uint8),
        ),
        crop_boxes_src=torch.zeros(batch, num_global + num_local, 4),
        turns=torch.zeros(batch, num_global + num_local, dtype=torch.long),
        flipped=torch.zeros(batch, num_global + num_local, dtype=torch.bool),
    )
    if photometric:
        data['photometric_params'] = torch.zeros(batch, num_global + num_local, 11)
    return data


def samples_of_regions():
    sides = dict(x1=64, x2=64, x1_cut=64, x2_small=32, x3=64)
    return dict(
        inputs={name: torch.zeros(2, 3, side, side, dtype=torch.uint8) for name, side in sides.items()},
        regions={name: torch.zeros(2, 3, 4) for name in sides},
        region_shares=dict(x1_cut=torch.zeros(2, 3)),
        regions_fallback=torch.zeros(2, dtype=torch.bool),
        foreground=torch.zeros(2, 64, 64, dtype=torch.bool),
    )


def build(config):
    """Builds a model whose parameters and buffers are fake CUDA tensors."""
    with fake_tensor.unset_fake_temporarily():
        model = MODELS.build(config)
    for module in model.modules():
        for name, value in module._parameters.items():
            if value is not None:
                fake = torch.empty(value.shape, dtype=value.dtype, device='cuda')
                module._parameters[name] = torch.nn.Parameter(fake, value.requires_grad)
        for name, value in module._buffers.items():
            module._buffers[name] = torch.empty(value.shape, dtype=value.dtype, device='cuda')
    model._set_device(torch.device('cuda:0'))  # what model.to() tells the preprocessors
    return model.train()


def losses(model, data, dtype=None, accumulation=1):
    """Preprocessing, teacher update, forward pass and losses of as many iterations; returns the last loss."""
    for _ in range(accumulation):
        model.update_teacher(0.99)
        views = model.data_preprocessor(data, training=True)
        with torch.autocast('cuda', dtype) if dtype else contextlib.nullcontext():
            total, log = model.parse_losses(model(**views, mode='loss'))
    assert total.device.type == 'cuda' and all(value.device.type == 'cuda' for value in log.values())
    assert all(tensor.device.type == 'cuda' for tensor in model.state_dict().values())
    return total


@pytest.mark.parametrize('dtype', [None, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize('name', VIEW_CONFIGS)
def test_a_step_on_views(name, dtype, monkeypatch, default_scope):
    with fake_cuda(monkeypatch):
        model = build(tiny_config(f'configs/{name}.py', **{'model.backbone.drop_path_rate': 0.1}).model)
        loss = losses(model, samples_of_views(photometric=True), dtype, accumulation=2)
    assert loss.dtype == torch.float32 and loss.ndim == 0


def test_without_photometric_augmentation_on_the_device(monkeypatch, default_scope):
    with fake_cuda(monkeypatch):
        losses(build(tiny_config().model), samples_of_views(photometric=False))


@pytest.mark.parametrize('dtype', [None, torch.float16], ids=str)
def test_a_step_on_mixed_patches(dtype, monkeypatch, default_scope):
    with fake_cuda(monkeypatch):
        cfg = tiny_config()
        cfg.model.mixing = dict(type='mmssl_geo.PatchMixing', **MIXING)
        losses(build(cfg.model), samples_of_views(photometric=True), dtype)


@pytest.mark.parametrize('dtype', [None, torch.float16], ids=str)
@pytest.mark.parametrize('backbone', [None, TINY_VIT], ids=['resnet', 'vit'])
def test_a_step_on_regions(backbone, dtype, monkeypatch, default_scope):
    with fake_cuda(monkeypatch):
        config = d3ssl_config(backbone, data_preprocessor=dict(type='mmssl_geo.RegionViewDataPreprocessor'))
        losses(build(config), samples_of_regions(), dtype)


def test_a_tensor_that_stays_on_the_cpu_is_found(monkeypatch, default_scope):
    forward = PatchCorrespondenceLoss.forward

    def with_weights(self, student_tokens, teacher_tokens):
        return forward(self, student_tokens * torch.ones(student_tokens.shape[-1]), teacher_tokens)

    monkeypatch.setattr(PatchCorrespondenceLoss, 'forward', with_weights)
    with fake_cuda(monkeypatch):
        with pytest.raises(Exception, match='cuda.*cpu|Unhandled FakeTensor Device Propagation|same device'):
            losses(build(tiny_config().model), samples_of_views(photometric=True))


def test_a_value_that_the_host_needs_is_found(monkeypatch, default_scope):
    forward = PatchCorrespondenceLoss.forward

    def with_branch(self, student_tokens, teacher_tokens):
        if student_tokens.sum() > 0:
            student_tokens = -student_tokens
        return forward(self, student_tokens, teacher_tokens)

    monkeypatch.setattr(PatchCorrespondenceLoss, 'forward', with_branch)
    with fake_cuda(monkeypatch):
        with pytest.raises(Exception, match='data-dependent|DataDependent|_local_scalar_dense|guard'):
            losses(build(tiny_config().model), samples_of_views(photometric=True))
