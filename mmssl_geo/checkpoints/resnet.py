"""ResNets, which have torchvision's names in every package, and what the converter does with them."""
import torch

from mmssl_geo.checkpoints.formats.onnx import OnnxForm
from mmssl_geo.utils.errors import UserError

from .architecture import Architecture
from .resnet_facts import ResNetFacts, block_counts, read_facts, resnet_shapes
from .resnet_nets import package_resnet, plain_maps, timm_resnet

_COUNT = 'num_batches_tracked'


class ResNet(Architecture):
    """ResNet of 18, 34, 50, 101 or 152 layers, stride in the 3 x 3 convolution (style 'pytorch').

    Old files have no counts of batches; they are made as zeros, which no feature depends on.
    """
    title = 'ResNet (18, 34, 50, 101 or 152 layers)'
    extras = ('fc.', 'head.')

    def names(self, own, naming):
        bottleneck, blocks = block_counts(own)
        shapes = resnet_shapes(ResNetFacts(bottleneck, blocks, in_channels=3, stem_channels=64, base_channels=64))
        return [name for name in shapes if name in own or not name.endswith(_COUNT)]

    def read_facts(self, own, naming, called, meta, num_heads, patch_size):
        if num_heads is not None or patch_size is not None:
            raise UserError('--num-heads and --patch-size are for vision transformers; this is a ResNet')
        return read_facts(own, called, meta)

    def export(self, own, naming, facts, to):
        names = resnet_shapes(facts)
        weights = {name: own[name] if name in own else torch.zeros((), dtype=torch.long) for name in names}
        return weights, {name: name if name in own else None for name in names}

    def reference(self, own, naming, facts, to):
        return lambda images: plain_maps(own, images, facts)

    def converted(self, weights, facts, to):
        net = timm_resnet(facts) if to == 'timm' else package_resnet(facts, to)
        net.load_state_dict(weights, strict=True)
        if to == 'timm':
            return self.timm_features(net)
        net.double().eval()
        return lambda images: list(net(images))

    def timm_config(self, facts):
        return dict(architecture=f'resnet{facts.depth}', model_args=dict(in_chans=facts.in_channels),
                    num_features=facts.channels, input_size=(facts.in_channels, 224, 224), first_conv='conv1',
                    classifier='fc')

    def timm_features(self, net):
        net.double().eval()
        return lambda images: net.forward_intermediates(images, indices=[1, 2, 3, 4], intermediates_only=True)

    def onnx_form(self, weights, facts):
        net = package_resnet(facts, 'mmpretrain')
        net.load_state_dict(weights, strict=True)
        net.eval()
        return OnnxForm(net, ('c2', 'c3', 'c4', 'c5'), (64, 64), free_size=True)

    def from_onnx(self, outputs):
        return outputs

    def sizes(self, naming, facts, to):
        return (64, 64), (75, 106)

    def encoder(self, own, naming, facts):
        net = package_resnet(facts, 'mmpretrain', out_indices=(3, ))
        net.load_state_dict(self.export(own, naming, facts, 'mmpretrain')[0], strict=True)
        net.eval()
        return net
