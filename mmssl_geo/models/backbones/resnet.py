"""mmpretrain's ResNet with strict loading, and its parts around RoI pooling on C4."""
import math

from mmengine.logging import print_log
from mmpretrain.models import ResNet
from torch import nn

from mmssl_geo.registry import MODELS

from .state_check import check_init_cfg, check_weights, read_backbone

ADVICE = ('Export it for this model: `python tools/convert_checkpoint.py {source} OUT.pth --to mmdet` (or `--to '
          'mmseg`), and compare `depth`, `base_channels` and `stem_channels` of the config with what was pretrained.')
PARTS = ('stem', 'conv1', 'bn1', 'layer1', 'layer2', 'layer3', 'layer4')
STEM_STRIDE = 4
C4_STAGES = 3


@MODELS.register_module()
class SSLResNet(ResNet):
    """ResNet that never loads a checkpoint partly, and can be cut in two at C4 to pool regions there.

    The network, its arguments, its outputs and its initialisation (Kaiming, last norm of every block 0) are
    `mmpretrain.ResNet`'s.

    Args:
        init_cfg: None or `dict(type='Pretrained', checkpoint=None)` for that initialisation ('' is as None);
            `dict(type='Pretrained', checkpoint=PATH, prefix=None)` to load a file afterwards. `prefix` is what the
            backbone's names start with in the file; None finds out whether it is `backbone.` or nothing. Stages
            that this net does not have (`num_stages=3`) are left aside. `allow_code=True` reads a file that needs
            code to be run: only one of your own making.
        **kwargs: as `mmpretrain.ResNet` takes them.

    Raises:
        UserError: `init_cfg` is of another type.
    """
    what = 'backbone'

    def __init__(self, depth, init_cfg=None, **kwargs):
        super().__init__(depth, **kwargs)
        check_init_cfg(init_cfg)
        self.pretrained = init_cfg or {}

    @property
    def embed_dims(self):
        """Width of the last stage."""
        return self.feat_dim

    @property
    def stride(self):
        """View pixels per cell of the maps that regions are pooled from."""
        return STEM_STRIDE * math.prod(self.strides[:C4_STAGES])

    def pooling_maps(self, images):
        """C4 maps `(N, C, h, w)` to pool regions out of."""
        maps = self.stem(images) if self.deep_stem else self.relu(self.norm1(self.conv1(images)))
        maps = self.maxpool(maps)
        for name in self.res_layers[:C4_STAGES]:
            maps = getattr(self, name)(maps)
        return maps

    def region_vectors(self, patches):
        """The last stage (res5) on pooled patches, then the mean: `(M, C, s, s)` -> `(M, D)` (SoCo's code)."""
        return self.layer4(patches).mean(dim=(2, 3))

    def train(self, mode=True):
        """As of every module: mmpretrain's forgets to return the net."""
        super().train(mode)
        return self

    def init_weights(self):
        """Initialises as mmpretrain does, then loads `init_cfg.checkpoint` if there is one.

        Raises:
            UserError: the file is missing or unsafe, or one of its tensors is missing, unexpected, of another shape
                or not finite.
        """
        super().init_weights()
        source = self.pretrained.get('checkpoint')
        if not source:
            print_log(f'{self.what} starts from random weights', logger='current')
        else:
            self._load_strictly(source)

    def _load_strictly(self, source):
        weights, others = read_backbone(self.pretrained)
        own_parts = dict(self.named_children())
        own = {key: value for key, value in weights.items()
               if key.split('.')[0] in own_parts or key.split('.')[0] not in PARTS}
        expected = {key: value for key, value in self.state_dict().items() if key.split('.')[0] in PARTS}
        check_weights(expected, own, source, self.what, ADVICE.format(source=source))
        self.load_state_dict(own, strict=False)  # an extra norm is new
        others += len(weights) - len(own)
        left = f'; {others} tensors of other parts left aside' if others else ''
        print_log(
            f'loaded {len(own)} of {len(expected)} {self.what} tensors from {source} (strict){left}', logger='current')


@MODELS.register_module()
class SSLRes5(SSLResNet):
    """The last stage of an `SSLResNet` alone, as the shared head of mmdet's R50-C4 detectors.

    Args:
        depth, init_cfg, **kwargs: as of `SSLResNet`; of the file, the last stage is loaded, strictly.
        extra_norm: one more BN behind the stage, new and not loaded (MoCo's and SoCo's code).
    """
    what = 'res5'

    def __init__(self, depth, init_cfg=None, extra_norm=False, **kwargs):
        super().__init__(depth, init_cfg=init_cfg, **kwargs)
        for part in PARTS[:-1]:
            if hasattr(self, part):
                delattr(self, part)
        self.norm = nn.BatchNorm2d(self.feat_dim) if extra_norm else nn.Identity()

    def forward(self, patches):
        """`(M, C, s, s)` -> `(M, D, s / 2, s / 2)`."""
        return self.norm(self.layer4(patches))
