"""Losses: pure functions of tensors."""

from .crop_similarity_loss import CropSimilarityLoss
from .decorrelation_loss import DecorrelationLoss
from .dino_loss import DINOLoss
from .patch_correspondence_loss import PatchCorrespondenceLoss
from .region_similarity_loss import RegionSimilarityLoss

__all__ = ['CropSimilarityLoss', 'DecorrelationLoss', 'DINOLoss', 'PatchCorrespondenceLoss', 'RegionSimilarityLoss']
