"""mmpretrain's vision transformer with the method's initialisation and strict loading."""
import math
from functools import partial

import torch
from mmengine.logging import print_log
from mmpretrain.models import VisionTransformer
from mmpretrain.models.utils import resize_pos_embed
from mmpretrain.models.utils.attention import scaled_dot_product_attention_pyimpl
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError

from .state_check import check_init_cfg, check_weights, read_backbone

ADVICE = ('Export it for this model: `python tools/convert_checkpoint.py {source} OUT.pth --to mmdet` (or `--to '
          'mmseg`; `--to mmpretrain` where the config keeps the final LayerNorm), and compare `arch`, `patch_size` and '
          '`final_norm` of the config with what was pretrained.')


@MODELS.register_module()
class SSLVisionTransformer(VisionTransformer):
    """Vision transformer that is initialised as GTSA's and never loads a checkpoint partly.

    The network, its arguments and its outputs are `mmpretrain.VisionTransformer`'s. ViT-Ti, ViT-S and ViT-B are
    `arch='deit-tiny'`, `'deit-small'` and `'deit-base'`. For dense tasks take `out_type='featmap'`: for every block
    of `out_indices` a map `(B, C, H / patch_size, W / patch_size)`, sizes rounded up.

    Initialisation (the authors' code): truncated normal of deviation 0.02 for the weights of all linear layers, the
    position embedding and [CLS]; zero biases; LayerNorm 1 and 0; torch's default for the patch embedding.

    Args:
        norm_every_map: apply the final LayerNorm, the same one, to every map that is given out, not to the last
            block's only (iBOT's `out_with_norm`); needs `out_type='featmap'` and `final_norm=True`.
        init_cfg: None or `dict(type='Pretrained', checkpoint=None)` for that initialisation ('' is as None);
            `dict(type='Pretrained', checkpoint=PATH, prefix=None)` to load a file afterwards. `prefix` is what the
            backbone's names start with in the file; None finds out whether it is `backbone.` or nothing.
            `allow_code=True` reads a file that needs code to be run: only one of your own making.
        with_cp: activation checkpointing: every block is computed once more in the backward pass, and only its input
            is kept until then. The gradients are the same.
        **kwargs: as `mmpretrain.VisionTransformer` takes them.

    Raises:
        UserError: `init_cfg` is of another type, or there is nothing that `norm_every_map` could work with.
    """

    def __init__(self, norm_every_map=False, init_cfg=None, with_cp=False, **kwargs):
        super().__init__(init_cfg=init_cfg, **kwargs)
        check_init_cfg(init_cfg)
        if norm_every_map and not (self.final_norm and self.out_type == 'featmap'):
            raise UserError("backbone.norm_every_map needs out_type='featmap' and final_norm=True")
        self.norm_every_map = norm_every_map
        for layer in self.layers:
            layer.attn.scaled_dot_product_attention = attention
            if with_cp:
                layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)

    @property
    def stride(self):
        """View pixels per cell of the patch map."""
        return self.patch_embed.projection.stride[0]

    def pooling_maps(self, images):
        """Maps `(N, C, h, w)` to pool regions out of: the patch map of the last block; needs `out_type='featmap'`."""
        return self(images)[-1]

    def forward(self, images):
        """Images `(N, 3, H, W)` -> tuple of one output for each of `out_indices`."""
        maps = super().forward(images)
        if not self.norm_every_map:
            return maps
        last = self.num_layers - 1  # its map is normalised already
        return tuple(x if index == last else self.ln1(x.movedim(1, -1)).movedim(-1, 1)
                     for index, x in zip(sorted(self.out_indices), maps, strict=True))

    def train(self, mode=True):
        """As of every module: mmpretrain's forgets to return the net."""
        super().train(mode)
        return self

    def forward_mixed(self, images, others, marks):
        """As the forward of images, with patch embeddings of other images at the marked places.

        They take the place of the images' own before the position embedding, and no gradient flows into them
        (de-coupling for ViTs, D3SSL's authors' later code).

        Args:
            images: `(N, 3, H, W)`.
            others: `(N, 3, H, W)`.
            marks: `(N, h, w)` bool, one for each patch.

        Returns:
            tuple: as the forward's.
        """
        with torch.no_grad():
            replacement = self.patch_embed(others)[0]

        def replace(module, inputs, output):
            tokens, resolution = output
            return torch.where(marks.flatten(1).unsqueeze(-1), replacement, tokens), resolution
        hook = self.patch_embed.register_forward_hook(replace)
        try:
            return self(images)
        finally:
            hook.remove()

    @staticmethod
    def region_vectors(patches):
        """Mean of each pooled patch, `(M, C, s, s)` -> `(M, C)`."""
        return patches.mean(dim=(2, 3))

    def init_weights(self):
        """Initialises as the method does, then loads `init_cfg.checkpoint` if there is one.

        Raises:
            UserError: the file is missing or unsafe, or one of its tensors is missing, unexpected, of another shape
                or not finite. Only the position embedding may differ in size; it is resized to the config's grid.
        """
        self.apply(_init_layer)
        for embedding in (self.pos_embed, self.cls_token):
            if embedding is not None:
                nn.init.trunc_normal_(embedding, std=.02)
        source = (self.init_cfg or {}).get('checkpoint')
        if not source:
            print_log('backbone starts from random weights', logger='current')
        else:
            self._load_strictly(source)
        self._is_init = True

    def _load_strictly(self, source):
        weights, others = read_backbone(self.init_cfg)
        expected = self.state_dict()
        self._fit_pos_embed(weights, source)
        check_weights(expected, weights, source, 'backbone', ADVICE.format(source=source))
        self.load_state_dict(weights, strict=True)
        left = f'; {others} tensors of other parts left aside' if others else ''
        print_log(
            f'loaded {len(weights)} of {len(expected)} backbone tensors from {source} (strict){left}', logger='current')

    def _fit_pos_embed(self, weights, source):
        """Resizes a square grid's position embedding in `weights` to the grid that `img_size` asks for."""
        stored = weights.get('pos_embed')
        if stored is None or stored.shape == self.pos_embed.shape or stored.ndim != 3:
            return
        cells = stored.shape[1] - self.num_extra_tokens
        side = math.isqrt(max(cells, 0))
        if side == 0 or side * side != cells or stored.shape[2] != self.pos_embed.shape[2]:
            return  # the check of shapes names it
        grid = tuple(self.patch_resolution)
        weights['pos_embed'] = resize_pos_embed(
            stored, (side, side), grid, self.interpolate_mode, self.num_extra_tokens)
        print_log(
            f'position embedding of {source} resized from {side} x {side} to {grid[0]} x {grid[1]} cells '
            f'({self.interpolate_mode}), as img_size={tuple(self.img_size)} asks', logger='current')


def attention(query, key, value, dropout_p=0.):
    """Scaled dot-product attention of `(B, heads, L, C)`: torch's fused one, but plain products for bfloat16 on a CPU.

    There the fused one's backward pass is 3 to 6 times slower than the products.
    """
    if query.dtype == torch.bfloat16 and query.device.type == 'cpu':
        return scaled_dot_product_attention_pyimpl(query, key, value, dropout_p=dropout_p)
    return F.scaled_dot_product_attention(query, key, value, dropout_p=dropout_p)


def _init_layer(module):
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.LayerNorm):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
