"""Vision transformers: their names in several packages, and what the converter does with them."""
import re

import torch

from mmssl_geo.checkpoints.formats.onnx import OnnxForm
from mmssl_geo.utils.errors import UserError

from .architecture import Architecture
from .vit_facts import read_facts
from .vit_nets import ClsAndMap, mmpretrain_vit, plain_tokens, timm_vit

# One line per group of parameters; `N` is the block's number. The final LayerNorm comes last.
_NAMES = {
    'mmpretrain': ('cls_token', 'pos_embed', 'patch_embed.projection', 'layers.N.ln1', 'layers.N.attn.qkv',
                   'layers.N.attn.proj', 'layers.N.ln2', 'layers.N.ffn.layers.0.0', 'layers.N.ffn.layers.1', 'ln1'),
    'timm': ('cls_token', 'pos_embed', 'patch_embed.proj', 'blocks.N.norm1', 'blocks.N.attn.qkv',
             'blocks.N.attn.proj', 'blocks.N.norm2', 'blocks.N.mlp.fc1', 'blocks.N.mlp.fc2', 'norm'),
}
_BARE = ('cls_token', 'pos_embed')  # parameters themselves; the others have a weight and a bias
_TIMM = ('timm', 'huggingface')
_DENSE = ('mmdet', 'mmseg')  # their nets use the blocks' outputs, without the final LayerNorm


class ViT(Architecture):
    """Vision transformer with a class token and a position embedding, as in timm and mmpretrain.

    A source by mmpretrain's names may lack the final LayerNorm, as files made for the dense packages do.
    """
    title = 'vision transformer (one class token; no register or distillation tokens, no LayerScale)'
    extras = ('head.', 'pre_logits.', 'masked_embed', 'mask_token')

    def names(self, own, naming):
        with_norm = naming != 'mmpretrain' or any(key in own for key in _last(naming))
        return vit_names(naming, _depth(own, naming), with_norm)

    def read_facts(self, own, naming, called, meta, num_heads, patch_size):
        renames = self._renames(own, naming, 'mmpretrain')
        return read_facts({new: own[old] for new, old in renames.items()},
                          {new: called[old] for new, old in renames.items()}, meta, num_heads, patch_size)

    def export(self, own, naming, facts, to):
        if to not in _DENSE and not facts.final_norm:
            raise UserError(f'there is no final LayerNorm ({", ".join(_last(naming))}), which {to} needs: files made '
                            '--to mmdet or mmseg lack it. Convert the pretraining checkpoint itself')
        target = _naming_for(to)
        dropped = _last(target) if to in _DENSE else ()
        renames = {new: old for new, old in self._renames(own, naming, target).items() if new not in dropped}
        return {new: own[old] for new, old in renames.items()}, renames

    def reference(self, own, naming, facts, to):
        final_norm = to not in _DENSE
        if naming == 'timm':
            return lambda images: [plain_tokens(own, images, facts, final_norm)]
        dropped = () if final_norm else _last(naming)
        return _runner(mmpretrain_vit(facts, final_norm), {key: own[key] for key in own if key not in dropped})

    def converted(self, weights, facts, to):
        if to == 'timm':
            net = timm_vit(facts)
            net.load_state_dict(weights, strict=True)
            return self.timm_features(net)
        return _runner(mmpretrain_vit(facts, to not in _DENSE), weights)

    def timm_config(self, facts):
        shape = dict(img_size=facts.img_size, patch_size=facts.patch_size, in_chans=facts.in_channels,
                     embed_dim=facts.embed_dims, depth=facts.num_layers, num_heads=facts.num_heads,
                     mlp_ratio=facts.hidden_dims / facts.embed_dims)
        # any of timm's plain ViTs: the arguments say all
        return dict(architecture='vit_base_patch16_224', model_args=shape, num_features=facts.embed_dims,
                    input_size=(facts.in_channels, facts.img_size, facts.img_size), first_conv='patch_embed.proj',
                    classifier='head')

    def timm_features(self, net):
        net.double().eval()
        return lambda images: [net.forward_features(images)]

    def onnx_form(self, weights, facts):
        """Of the native size only: another one is another position embedding."""
        net = mmpretrain_vit(facts, final_norm=True)
        net.load_state_dict(weights, strict=True)
        net.eval()
        return OnnxForm(ClsAndMap(net), ('cls', 'map'), (facts.img_size, facts.img_size), free_size=False)

    def from_onnx(self, outputs):
        cls, maps = outputs
        return [torch.cat([cls.unsqueeze(1), maps.flatten(2).transpose(1, 2)], dim=1)]

    def sizes(self, naming, facts, to):
        """The native size, and an oblong one where both sides resize the position embedding alike.

        mmpretrain's nets do among themselves. timm antialiases and the official code scales by a rounded factor:
        other embeddings, from the same weights. An ONNX file has one size.
        """
        side = facts.img_size
        oblong = (side + facts.patch_size, side + 3 * facts.patch_size)
        both = naming == _naming_for(to) == 'mmpretrain' and to != 'onnx'
        return ((side, side), oblong) if both else ((side, side), )

    def encoder(self, own, naming, facts):
        net = mmpretrain_vit(facts, final_norm=True, out_type='featmap')
        net.load_state_dict(self.export(own, naming, facts, 'mmpretrain')[0], strict=True)
        net.eval()
        return net

    def _renames(self, own, source, target):
        """Name in the target naming -> own name."""
        names = self.names(own, source)
        wanted = vit_names(target, _depth(own, source), with_norm=_last(source)[0] in names)
        return dict(zip(wanted, names, strict=True))


def vit_names(naming, depth, with_norm=True):
    """All parameter names of a ViT of `depth` blocks, in an order that is the same for every naming."""
    listed = []
    for group in _NAMES[naming] if with_norm else _NAMES[naming][:-1]:
        for number in range(depth if '.N.' in group else 1):
            name = group.replace('.N.', f'.{number}.')
            listed += [name] if group in _BARE else [f'{name}.weight', f'{name}.bias']
    return listed


def _last(naming):
    return tuple(f'{_NAMES[naming][-1]}.{kind}' for kind in ('weight', 'bias'))


def _depth(own, naming):
    """Number of blocks, by the highest block number among the names; one at least, so that its names are missed."""
    blocks = _NAMES[naming][3].split('N')[0]
    numbers = [int(found[1]) for found in (re.match(re.escape(blocks) + r'(\d+)\.', key) for key in own) if found]
    return max(numbers, default=0) + 1


def _naming_for(to):
    return 'timm' if to in _TIMM else 'mmpretrain'


def _runner(net, weights):
    net.load_state_dict(weights, strict=True)
    net.double().eval()
    return lambda images: [net(images)[-1]]
