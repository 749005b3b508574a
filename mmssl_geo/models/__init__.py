"""Models, registered in the scope `mmssl_geo`."""
from mmssl_geo.stack import check_stack

check_stack(required=('mmpretrain',))

from .backbones import SSLVisionTransformer  # noqa: E402
from .data_preprocessor import MultiViewDataPreprocessor  # noqa: E402
from .heads import GTSAHead, RotationHead  # noqa: E402
from .losses import CropSimilarityLoss, PatchCorrespondenceLoss  # noqa: E402
from .necks import ConvProjector, ViTPyramid  # noqa: E402
from .selfsup import GTSA  # noqa: E402

__all__ = [
    'ConvProjector', 'CropSimilarityLoss', 'GTSA', 'GTSAHead', 'MultiViewDataPreprocessor', 'PatchCorrespondenceLoss',
    'RotationHead', 'SSLVisionTransformer', 'ViTPyramid'
]
