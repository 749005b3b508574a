"""Models, registered in the scope `mmssl_geo`."""
from mmssl_geo.utils.versions import check_stack

check_stack(required=('mmpretrain',))

from .backbones import SSLRes5, SSLResNet, SSLVisionTransformer  # noqa: E402
from .data_preprocessor import MultiViewDataPreprocessor  # noqa: E402
from .heads import D3SSLHead, DINOHead, GTSAHead, NormLinearClsHead, RotationHead  # noqa: E402
from .losses import CropSimilarityLoss, DecorrelationLoss, DINOLoss, PatchCorrespondenceLoss, RegionSimilarityLoss  # noqa: E402
from .necks import ConvProjector, DINONeck, RegionProjector, ViTPyramid  # noqa: E402
from .region_data_preprocessor import RegionViewDataPreprocessor  # noqa: E402
from .selfsup import D3SSL, DINO, GTSA, PatchMixing  # noqa: E402

__all__ = [
    'ConvProjector', 'CropSimilarityLoss', 'D3SSL', 'D3SSLHead', 'DINO', 'DINOHead', 'DINOLoss', 'DINONeck',
    'DecorrelationLoss', 'GTSA', 'GTSAHead', 'MultiViewDataPreprocessor', 'NormLinearClsHead',
    'PatchCorrespondenceLoss', 'PatchMixing', 'RegionProjector', 'RegionSimilarityLoss',
    'RegionViewDataPreprocessor', 'RotationHead', 'SSLRes5', 'SSLResNet', 'SSLVisionTransformer', 'ViTPyramid'
]
