"""Linear probes of geometry: the rotation of an image and the position of a patch."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmssl_geo.evaluation.linear_probe import LinearProbe, fit_logistic, fit_ridge, fit_with_best_penalty
from mmssl_geo.evaluation.results import ValueAndChance
from mmssl_geo.geometry import cell_centres

NUM_ROTATIONS = 4


def rotation_probe(rotated_maps: Tensor, train: Tensor, test: Tensor) -> ValueAndChance:
    """Computes the accuracy of a linear probe that predicts the quarter turns of an image from its average feature.

    Args:
        rotated_maps: Feature maps of N images after 0 to 3 quarter turns, shape (4, N, C, h, w).
        train: Indices of the training images, at least two.
        test: Indices of the test images.

    Returns:
        The accuracy and its chance level, 0.25.
    """
    pooled = rotated_maps.mean(dim=(-2, -1))

    def fit(images: Tensor, penalty: float) -> LinearProbe:
        return fit_logistic(pooled[:, images].flatten(0, 1), _rotation_labels(len(images)), NUM_ROTATIONS, penalty)

    def loss(probe: LinearProbe, images: Tensor) -> float:
        return F.cross_entropy(probe(pooled[:, images].flatten(0, 1)), _rotation_labels(len(images))).item()

    scores = fit_with_best_penalty(fit, loss, train)(pooled[:, test].flatten(0, 1))
    correct = scores.argmax(dim=1) == _rotation_labels(len(test))
    return correct.double().mean().item(), 1 / NUM_ROTATIONS


def position_probe(maps: Tensor, train: Tensor, test: Tensor) -> ValueAndChance:
    """Computes the error of a linear probe that predicts the position of a cell in the view from its feature.

    Args:
        maps: Feature maps of N images, shape (N, C, h, w).
        train: Indices of the training images, at least two.
        test: Indices of the test images.

    Returns:
        The mean distance between the predicted and the true centre of a cell, and its chance level: the mean distance
        between the centre of the view and the centre of a cell. Both are in sides of the view.
    """
    height, width = maps.shape[-2:]
    positions = cell_centres(height, width).double() / torch.tensor([width, height])

    def fit(images: Tensor, penalty: float) -> LinearProbe:
        return fit_ridge(_cells(maps[images]), positions.repeat(len(images), 1), penalty)

    def error(probe: LinearProbe, images: Tensor) -> float:
        predictions = probe(_cells(maps[images])).view(len(images), -1, 2)
        return (predictions - positions).norm(dim=-1).mean().item()

    probe = fit_with_best_penalty(fit, error, train)
    return error(probe, test), (positions - 0.5).norm(dim=-1).mean().item()


def _rotation_labels(num_images: int) -> Tensor:
    """Returns the labels of flattened rotated images, shape (4 * num_images,)."""
    return torch.arange(NUM_ROTATIONS).repeat_interleave(num_images)


def _cells(maps: Tensor) -> Tensor:
    """Flattens maps, shape (N, C, h, w), to cells in row-major order, shape (N * h * w, C)."""
    return maps.flatten(2).transpose(1, 2).flatten(0, 1)
