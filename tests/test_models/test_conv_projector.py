import torch
import torch.nn.functional as F

from mmssl_geo.models import ConvProjector


def test_forward_matches_the_definition():
    neck = ConvProjector(6, out_channels=5, num_blocks=2).double()
    maps = torch.randn(2, 6, 4, 3, dtype=torch.double)
    x = maps
    for block in neck.blocks:
        y = F.conv2d(x, block.conv.weight, block.conv.bias, padding=1)
        mean, var = y.mean(dim=1, keepdim=True), y.var(dim=1, keepdim=True, correction=0)
        x = x + F.gelu((y - mean) / (var + 1e-5).sqrt())
    expected = F.conv2d(x, neck.proj.weight, neck.proj.bias)
    torch.testing.assert_close(neck(maps), expected)


def test_predictor_has_no_residual():
    predictor = ConvProjector(6, out_channels=5, num_blocks=1, residual=False)
    torch.nn.init.zeros_(predictor.blocks[0].conv.weight)
    torch.nn.init.zeros_(predictor.blocks[0].conv.bias)
    assert torch.equal(predictor(torch.randn(1, 6, 2, 2)), predictor.proj.bias.view(1, 5, 1, 1).expand(1, 5, 2, 2))


def test_gradients_have_the_strides_of_their_weights():
    """DistributedDataParallel warns otherwise, as for a 1x1 convolution of channels-last maps."""
    neck = ConvProjector(6, out_channels=5, num_blocks=1)
    neck(torch.randn(2, 6, 4, 4).to(memory_format=torch.channels_last)).sum().backward()
    assert all(weight.grad.stride() == weight.stride() for weight in neck.parameters())
