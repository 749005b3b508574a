import logging

import torch
from mmengine.logging import MMLogger
from mmpretrain.models import ResNet, VisionTransformer

from mmssl_geo.evaluation.random_weights import randomly_initialised

ARCH = dict(embed_dims=48, num_layers=2, num_heads=3, feedforward_channels=96)


def pretrained(net):
    with torch.no_grad():
        for value in net.state_dict().values():
            value.fill_(7)
    net.eval()
    return net


def test_vit_starts_as_pretraining_does():
    net = pretrained(VisionTransformer(ARCH, 64, 8, out_type='featmap'))
    state = randomly_initialised(net).state_dict()
    assert state.keys() == net.state_dict().keys()
    for name in ('layers.0.attn.qkv.weight', 'layers.1.ffn.layers.1.weight', 'pos_embed'):
        assert abs(state[name].std() - 0.02) < 0.002, name
    kernel = state['patch_embed.projection.weight']  # torch's default: uniform up to 1 / sqrt(3 * 8 * 8)
    assert 0.99 * 192**-0.5 < kernel.abs().max() <= 192**-0.5
    assert (state['ln1.weight'] == 1).all() and (state['layers.0.ffn.layers.1.bias'] == 0).all()
    assert all((value == 7).all() for value in net.parameters())


def test_resnet_is_drawn_anew():
    net = pretrained(ResNet(18, out_indices=(3,), stem_channels=8, base_channels=8))
    fresh = randomly_initialised(net)
    assert not any((value == 7).any() for value in fresh.state_dict().values())  # running statistics, too
    assert not fresh.training and fresh(torch.randn(1, 3, 64, 64))[-1].shape == (1, 64, 2, 2)


def test_a_cell_of_a_random_resnet_sees_more_than_its_shortcuts():
    """With mmpretrain's default the last BN of each block is zero, and 11 px reach a cell of C5."""
    fresh = randomly_initialised(pretrained(ResNet(18, out_indices=(3,), stem_channels=8, base_channels=8)))
    images = torch.randn(1, 3, 128, 128, requires_grad=True)
    fresh(images)[-1][0, :, 2, 2].sum().backward()
    assert (images.grad.abs().sum(dim=(0, 1)) > 0).any(dim=0).sum() > 100


def test_the_log_is_not_flooded():
    """mmengine would log every layer; afterwards logs go on as before."""
    net = ResNet(18, out_indices=(3,), stem_channels=8, base_channels=8)
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    try:
        randomly_initialised(net)
        assert not records
        logger.info('heard')
        assert [record.getMessage() for record in records] == ['heard']
    finally:
        logger.removeHandler(handler)


def test_the_seed_decides_and_the_global_generator_stays():
    net = pretrained(VisionTransformer(ARCH, 32, 16, out_type='featmap'))
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    first, again, other = (randomly_initialised(net, seed)(torch.ones(1, 3, 32, 32))[-1] for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.rand(1), expected)
