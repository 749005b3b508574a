"""mmpretrain's vision transformer with the method's initialisation and strict loading."""
import math

from mmengine.logging import print_log
from mmengine.model import PretrainedInit
from mmpretrain.models import VisionTransformer
from mmpretrain.models.utils import resize_pos_embed
from torch import nn

from ...convert import read_checkpoint
from ...errors import UserError
from ...registry import MODELS
from .state_check import backbone_weights, check_weights, stored_weights

ADVICE = ('Export it for this model: `python tools/convert_checkpoint.py {source} OUT.pth --to mmdet` (or `--to '
          'mmseg`), and compare `arch`, `patch_size` and `final_norm` of the config with what was pretrained.')


@MODELS.register_module()
class SSLVisionTransformer(VisionTransformer):
    """Vision transformer that is initialised as GTSA's and never loads a checkpoint partly.

    The network, its arguments and its outputs are `mmpretrain.VisionTransformer`'s. ViT-Ti, ViT-S and ViT-B are
    `arch='deit-tiny'`, `'deit-small'` and `'deit-base'`. For dense tasks take `out_type='featmap'`: for every block
    of `out_indices` a map `(B, C, H / patch_size, W / patch_size)`, sizes rounded up.

    Initialisation (the authors' code): truncated normal of deviation 0.02 for the weights of all linear layers, the
    position embedding and [CLS]; zero biases; LayerNorm 1 and 0; torch's default for the patch embedding.

    Args:
        init_cfg: None or `dict(type='Pretrained', checkpoint=None)` for that initialisation;
            `dict(type='Pretrained', checkpoint=PATH, prefix=None)` to load a file afterwards. `prefix` is what the
            backbone's names start with in the file; None finds out whether it is `backbone.` or nothing.
            `allow_code=True` reads a file that needs code to be run: only one of your own making.
        **kwargs: as `mmpretrain.VisionTransformer` takes them.

    Raises:
        UserError: `init_cfg` is of another type.
    """

    def __init__(self, init_cfg=None, **kwargs):
        super().__init__(init_cfg=init_cfg, **kwargs)
        known = {'type', 'checkpoint', 'prefix', 'allow_code'}
        if init_cfg is not None and not (
                isinstance(init_cfg, dict) and init_cfg.get('type') in ('Pretrained', PretrainedInit)
                and set(init_cfg) <= known):
            raise UserError(
                "backbone.init_cfg: only None or dict(type='Pretrained', checkpoint=..., prefix=...) will do "
                f'(the initialisation is the method\'s), got {init_cfg}')

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
        if source is None:
            print_log('backbone starts from random weights', logger='current')
        else:
            self._load_strictly(source, self.init_cfg.get('prefix'), self.init_cfg.get('allow_code', False))
        self._is_init = True

    def _load_strictly(self, source, prefix, allow_code):
        weights, others = backbone_weights(stored_weights(read_checkpoint(source, allow_code=allow_code)), prefix)
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


def _init_layer(module):
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.LayerNorm):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
