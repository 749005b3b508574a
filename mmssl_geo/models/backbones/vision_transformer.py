"""Vision transformer of mmpretrain with the method's initialisation and strict loading."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from mmengine.logging import print_log
from mmpretrain.models import VisionTransformer
from mmpretrain.models.utils import resize_pos_embed
from mmpretrain.models.utils.attention import scaled_dot_product_attention_pyimpl
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from mmssl_geo.registry import MODELS
from mmssl_geo.utils.checks import check_counts, check_fractions, check_keys
from mmssl_geo.utils.errors import UserError

from .strict_init import StrictInitMixin


@MODELS.register_module()
class SSLVisionTransformer(StrictInitMixin, VisionTransformer):
    """Vision transformer with GTSA's initialisation and strict loading.

    Network, arguments and outputs are those of `mmpretrain.VisionTransformer`. ViT-Ti, ViT-S and ViT-B are
    `arch='deit-tiny'`, `'deit-small'` and `'deit-base'`. Dense tasks take `out_type='featmap'`: one map
    (B, C, H / patch_size, W / patch_size) per block of `out_indices`, sizes rounded up. Meets the contracts `Backbone`
    and `RegionBackbone`.

    Initialisation (the authors' code): truncated normal of deviation 0.02 for the weights of all linear layers, the
    position embedding and [CLS]; zero biases; LayerNorm 1 and 0; torch's default for the patch embedding.

    Args:
        norm_every_map: Whether the final LayerNorm is applied to every output map, not only to the last block's
            (iBOT's `out_with_norm`); needs `out_type='featmap'` and `final_norm=True`.
        init_cfg: See `StrictInitMixin.set_pretrained`. The position embedding of the file may differ in size; it is
            resized to the config's grid.
        with_cp: Whether to use activation checkpointing: every block keeps only its input and is computed again in the
            backward pass. The gradients are the same.
        **kwargs: Further arguments of `mmpretrain.VisionTransformer`.

    Raises:
        UserError: If `init_cfg` has another type, or the outputs do not fit `norm_every_map`.
    """

    def __init__(
        self,
        norm_every_map: bool = False,
        init_cfg: Mapping[str, Any] | None = None,
        with_cp: bool = False,
        **kwargs: Any,
    ) -> None:
        _check_arch(kwargs.get('arch'))
        sides = kwargs.get('patch_size', 16)
        for side in sides if isinstance(sides, tuple) else (sides,):
            check_counts('SSLVisionTransformer', patch_size=side)
        check_fractions('SSLVisionTransformer', drop_path_rate=kwargs.get('drop_path_rate', 0))
        super().__init__(**kwargs)
        self.set_pretrained(init_cfg)
        # Detectors and segmenters drop the final LayerNorm.
        target = 'mmpretrain`' if self.final_norm else 'mmdet` (the file fits mmseg, too)'
        self.mismatch_advice = (
            f'Export it for this model: `python tools/convert_checkpoint.py {{source}} OUT.pth --to {target}, and '
            'compare `arch`, `patch_size` and `final_norm` of the config with what was pretrained.'
        )
        if norm_every_map and not (self.final_norm and self.out_type == 'featmap'):
            raise UserError("backbone.norm_every_map needs out_type='featmap' and final_norm=True")
        self.norm_every_map = norm_every_map
        for layer in self.layers:
            layer.attn.scaled_dot_product_attention = attention
            if with_cp:
                layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)

    @property
    def feature_stride(self) -> int:
        """Pixels of a view per patch."""
        return self.patch_embed.projection.stride[0]

    @property
    def feature_channels(self) -> int:
        """Width of the tokens."""
        return self.embed_dims

    @property
    def has_cls_token(self) -> bool:
        """Whether there is a [CLS] token."""
        return self.cls_token is not None

    @property
    def region_stride(self) -> int:
        """Pixels of a view per cell of the maps to pool regions from: the patch size."""
        return self.feature_stride

    def region_maps(self, images: Tensor) -> Tensor:
        """Returns the last block's patch map, shape (N, C, h, w), to pool regions from; needs `out_type='featmap'`."""
        return self(images)[-1]

    @staticmethod
    def region_vectors(patches: Tensor) -> Tensor:
        """Averages each pooled patch: (M, C, s, s) -> (M, C)."""
        return patches.mean(dim=(2, 3))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Returns one output per block of `out_indices` for images of shape (N, 3, H, W)."""
        maps = super().forward(images)
        if not self.norm_every_map:
            return maps
        last = self.num_layers - 1  # its map is normalised already
        return tuple(
            x if index == last else self.ln1(x.movedim(1, -1)).movedim(-1, 1)
            for index, x in zip(sorted(self.out_indices), maps, strict=True)
        )

    def forward_mixed(self, images: Tensor, donors: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Runs the forward pass with the masked patch embeddings replaced by those of other images.

        They are replaced before the position embedding is added, and no gradient flows into them (de-coupling for
        ViTs, later code of D3SSL's authors).

        Args:
            images: Images, shape (N, 3, H, W).
            donors: Images that the replacing patches come from, shape (N, 3, H, W).
            mask: Bool, shape (N, h, w); True where the patch is replaced.

        Returns:
            The outputs of `forward`.
        """
        with torch.no_grad():
            replacement = self.patch_embed(donors)[0]
        torch.clear_autocast_cache()  # torch 2.1 would reuse the weights that it cast without gradients

        def replace(
            module: nn.Module, inputs: tuple[Tensor, ...], output: tuple[Tensor, tuple[int, int]]
        ) -> tuple[Tensor, tuple[int, int]]:
            tokens, resolution = output
            return torch.where(mask.flatten(1).unsqueeze(-1), replacement, tokens), resolution

        hook = self.patch_embed.register_forward_hook(replace)
        try:
            return self(images)
        finally:
            hook.remove()

    def init_random_weights(self) -> None:
        """Initialises the weights as the authors' code does."""
        self.apply(_init_layer)
        for embedding in (self.pos_embed, self.cls_token):
            if embedding is not None:
                nn.init.trunc_normal_(embedding, std=0.02)

    def select_weights(self, weights: dict[str, Tensor], source: str) -> dict[str, Tensor]:
        """Resizes the position embedding of a square grid to the grid that `img_size` implies."""
        stored = weights.get('pos_embed')
        if stored is None or stored.shape == self.pos_embed.shape or stored.ndim != 3:
            return weights
        num_cells = stored.shape[1] - self.num_extra_tokens
        side = math.isqrt(max(num_cells, 0))
        if side == 0 or side * side != num_cells or stored.shape[2] != self.pos_embed.shape[2]:
            return weights  # the check of shapes reports it
        grid = tuple(self.patch_resolution)
        resized = resize_pos_embed(stored, (side, side), grid, self.interpolate_mode, self.num_extra_tokens)
        print_log(
            f'position embedding of {source} resized from {side} x {side} to {grid[0]} x {grid[1]} cells '
            f'({self.interpolate_mode}) to fit img_size={tuple(self.img_size)}',
            logger='current',
        )
        return {**weights, 'pos_embed': resized}


def attention(query: Tensor, key: Tensor, value: Tensor, dropout_p: float = 0.0) -> Tensor:
    """Scaled dot-product attention for tensors of shape (B, heads, L, C).

    Uses torch's fused kernel, except for bfloat16 on a CPU, where its backward pass is 3 to 6 times slower than plain
    matrix products.
    """
    if query.dtype == torch.bfloat16 and query.device.type == 'cpu':
        return scaled_dot_product_attention_pyimpl(query, key, value, dropout_p=dropout_p)
    return F.scaled_dot_product_attention(query, key, value, dropout_p=dropout_p)


def _init_layer(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.LayerNorm):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)


def _check_arch(arch: object) -> None:
    """Checks an `arch` that is a dict; names are checked by mmpretrain."""
    if not isinstance(arch, dict):
        return
    check_keys('SSLVisionTransformer', 'arch', arch, ('embed_dims', 'num_layers', 'num_heads', 'feedforward_channels'))
    check_counts('SSLVisionTransformer.arch', **arch)
    if arch['embed_dims'] % arch['num_heads']:
        raise UserError(
            f'SSLVisionTransformer: the width embed_dims={arch["embed_dims"]} is not a multiple of '
            f'num_heads={arch["num_heads"]}'
        )
