"""ResNets to run: those of the packages, and the same forward pass in plain operations."""
import torch.nn.functional as F

from .architecture import net_class


def package_resnet(facts, package, out_indices=(0, 1, 2, 3)):
    """`ResNet` of mmpretrain, mmdet or mmseg, with random weights.

    Args:
        facts: `ResNetFacts`.
        package: its name.
        out_indices: stages whose maps the net returns.
    """
    module = 'mmpretrain.models' if package == 'mmpretrain' else f'{package}.models.backbones'
    return net_class(module, 'ResNet')(
        depth=facts.depth, in_channels=facts.in_channels, stem_channels=facts.stem_channels,
        base_channels=facts.base_channels, out_indices=out_indices)


def timm_resnet(facts):
    """timm's `ResNet` without a classifier, with random weights."""
    block = net_class('timm.models.resnet', 'Bottleneck' if facts.bottleneck else 'BasicBlock')
    return net_class('timm.models.resnet', 'ResNet')(
        block, list(facts.blocks), num_classes=0, in_chans=facts.in_channels)


def plain_maps(state, images, facts):
    """Forward pass of a ResNet in evaluation mode, in plain operations and from no other code of ours.

    Args:
        state: torchvision name -> tensor.
        images: (B, in_channels, H, W).
        facts: `ResNetFacts`.

    Returns:
        list: the four stages' maps C2 to C5, (B, C, h, w) of strides 4, 8, 16 and 32.
    """
    state = {key: value.to(images.dtype) for key, value in state.items()}

    def conv_norm(x, conv, norm, stride=1):
        kernel = state[f'{conv}.weight']
        x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        return F.batch_norm(x, state[f'{norm}.running_mean'], state[f'{norm}.running_var'], state[f'{norm}.weight'],
                            state[f'{norm}.bias'])

    def residual(x, block, stride):
        # the first 3 x 3 convolution has the stride: the second of a bottleneck, the first of a basic block
        strides = (1, stride, 1) if facts.bottleneck else (stride, 1)
        branch = x
        for place, step in enumerate(strides, start=1):
            branch = conv_norm(branch, f'{block}conv{place}', f'{block}bn{place}', step)
            branch = branch if place == len(strides) else F.relu(branch)
        if f'{block}downsample.0.weight' in state:
            x = conv_norm(x, f'{block}downsample.0', f'{block}downsample.1', stride)
        return F.relu(x + branch)

    x = F.max_pool2d(F.relu(conv_norm(images, 'conv1', 'bn1', 2)), 3, 2, 1)
    maps = []
    for stage, count in enumerate(facts.blocks, start=1):
        for number in range(count):
            x = residual(x, f'layer{stage}.{number}.', 2 if stage > 1 and number == 0 else 1)
        maps.append(x)
    return maps
