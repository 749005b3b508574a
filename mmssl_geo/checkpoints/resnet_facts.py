"""What the weights of a ResNet tell about it, and the names and shapes that it must have."""
import re
from dataclasses import dataclass

from mmssl_geo.utils.errors import UserError

from .architecture import check_weights
from .meta_config import backbone_config

DEPTHS = {  # (bottleneck blocks?, blocks per stage) -> layers
    (False, (2, 2, 2, 2)): 18,
    (False, (3, 4, 6, 3)): 34,
    (True, (3, 4, 6, 3)): 50,
    (True, (3, 4, 23, 3)): 101,
    (True, (3, 8, 36, 3)): 152,
}
# Options of mmpretrain's ResNet that change the features and leave no trace in the weights.
_STANDARD = dict(style='pytorch', strides=[1, 2, 2, 2], dilations=[1, 1, 1, 1])


@dataclass(frozen=True)
class ResNetFacts:
    """Shape of a ResNet: blocks per stage, widths in channels (64 and 64 in the standard nets)."""
    bottleneck: bool
    blocks: tuple
    in_channels: int
    stem_channels: int
    base_channels: int
    stride = 32  # pixels per cell of the last map

    @property
    def depth(self):
        """Layers, as in the net's name."""
        return DEPTHS[self.bottleneck, self.blocks]

    @property
    def channels(self):
        """Channels of the last map (C5)."""
        return self.base_channels * 8 * (4 if self.bottleneck else 1)

    @property
    def summary(self):
        return (f'ResNet-{self.depth}, stem of {self.stem_channels} channels, stages of base width '
                f'{self.base_channels}, last map of {self.channels} channels')

    @property
    def meta(self):
        """What a written file says about the net."""
        return dict(depth=self.depth, in_channels=self.in_channels, stem_channels=self.stem_channels,
                    base_channels=self.base_channels)


def read_facts(own, called, meta):
    """Facts of a ResNet, checked against every tensor's shape.

    Args:
        own: torchvision name -> tensor, all names of a ResNet there; counts of batches may be missing.
        called: torchvision name -> name in the file, for messages.
        meta: the checkpoint's `meta`; the options of the backbone in its config are checked.

    Raises:
        UserError: the depth, a shape or an option is not of a known ResNet, or a weight is not finite.
    """
    stem, first = own['conv1.weight'], own['layer1.0.conv1.weight']
    for name, kernel in (('conv1.weight', stem), ('layer1.0.conv1.weight', first)):
        if kernel.ndim != 4:
            raise UserError(f'{called[name]} has the shape {tuple(kernel.shape)}; no kernel of a 2D convolution has')
    bottleneck, blocks = block_counts(own)
    if (bottleneck, blocks) not in DEPTHS:
        raise UserError(f'{"-".join(map(str, blocks))} {"bottleneck" if bottleneck else "basic"} blocks a stage are of '
                        f'no known ResNet (there are those of {", ".join(map(str, DEPTHS.values()))} layers)')
    config = backbone_config(meta)
    for option, standard in _STANDARD.items():
        if config.get(option) not in (None, standard):
            raise UserError(f"the config in the file's meta has backbone.{option}={config[option]}; only nets with "
                            f'{option}={standard} give the same features in the packages')
    facts = ResNetFacts(bottleneck, blocks, stem.shape[1], stem.shape[0], first.shape[0])
    check_weights(own, resnet_shapes(facts), called,
                  f'ResNet-{facts.depth} of base width {facts.base_channels} (no other variant is known)')
    return facts


def block_counts(own):
    """(whether the blocks are bottlenecks, blocks per stage) by the names; one block a stage at least."""
    found = [match for match in (re.match(r'layer([1-4])\.(\d+)\.', key) for key in own) if match]
    counts = tuple(1 + max((int(match[2]) for match in found if match[1] == str(stage)), default=0)
                   for stage in (1, 2, 3, 4))
    return 'layer1.0.conv3.weight' in own, counts


def resnet_shapes(facts):
    """Name -> shape of all tensors of a ResNet, by torchvision's names."""
    shapes = _conv('conv1', 'bn1', facts.in_channels, facts.stem_channels, 7)
    channels, expansion = facts.stem_channels, 4 if facts.bottleneck else 1
    for stage, count in enumerate(facts.blocks, start=1):
        width = facts.base_channels * 2**(stage - 1)
        for number in range(count):
            block, out = f'layer{stage}.{number}.', width * expansion
            plan = [(channels, width, 1), (width, width, 3), (width, out, 1)] if facts.bottleneck else [
                (channels, width, 3), (width, width, 3)]
            for place, sizes in enumerate(plan, start=1):
                shapes |= _conv(f'{block}conv{place}', f'{block}bn{place}', *sizes)
            if number == 0 and (stage > 1 or channels != out):
                shapes |= _conv(f'{block}downsample.0', f'{block}downsample.1', channels, out, 1)
            channels = out
    return shapes


def _conv(conv, norm, channels, out, kernel):
    shapes = {f'{conv}.weight': (out, channels, kernel, kernel)}
    for name in ('weight', 'bias', 'running_mean', 'running_var'):
        shapes[f'{norm}.{name}'] = (out, )
    return {**shapes, f'{norm}.num_batches_tracked': ()}
