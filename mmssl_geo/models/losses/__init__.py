from .crop_similarity_loss import CropSimilarityLoss
from .patch_correspondence_loss import PatchCorrespondenceLoss

__all__ = ['CropSimilarityLoss', 'PatchCorrespondenceLoss']
