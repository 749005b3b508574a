"""How much region features depend on the surroundings and on the position, see `docs/measures.md`."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from mmssl_geo.evaluation.directions import unit_vectors
from mmssl_geo.evaluation.knn import object_knn, split_objects
from mmssl_geo.evaluation.linear_probe import LinearProbe, fit_ridge, fit_with_best_penalty
from mmssl_geo.evaluation.results import (
    Measure,
    MeasureResult,
    Results,
    SplitFunction,
    ValueAndChance,
    evaluate_splits,
    split_images,
)
from mmssl_geo.utils.errors import UserError

from .images import RegionImages
from .pastes import RegionFeatures, RegionPastes

REGION_MEASURES = {
    'coupling': Measure('coupling'),
    'shift_bias': Measure('positional bias, shift'),
    'region_position_error': Measure('region position probe, error in sides'),
    'object_knn': Measure('object k-NN, accuracy %', 100),
}


def relative_distance(first: Tensor, second: Tensor, image: Tensor, background: Tensor) -> float:
    """Computes the distance of features to their counterparts relative to the distance to unrelated features.

    The value is `(1 - mean cosine of regions i, i) / (1 - mean cosine of regions i, j)`; i and j share no image,
    neither as their own image nor as background. If all features are alike, it is 1 (our choice).

    Args:
        first: Unit vectors of the regions, shape (M, C).
        second: Unit vectors of the same regions under another condition, shape (M, C).
        image: Index of the image of each region, shape (M,).
        background: Index of the background of each region, shape (M,).

    Raises:
        UserError: If every two regions share an image.
    """
    images = torch.stack([image, background], dim=1)
    related = (images[:, None, :, None] == images[None, :, None, :]).any(dim=-1).any(dim=-1)
    if related.all():
        raise UserError('all regions of one half of the images share images: increase --num-images')
    cosines = first.double() @ second.double().T
    matched = 1 - cosines.diagonal().mean().item()
    unrelated = 1 - cosines[~related].mean().item()
    return matched / unrelated if unrelated > 1e-6 else 1.0


def region_position_probe(
    features: Tensor, centres: Tensor, image: Tensor, train: Tensor, test: Tensor
) -> ValueAndChance:
    """Computes the error of a linear probe that predicts the position of a region from its feature.

    Args:
        features: Features of regions pasted at random positions, shape (M, C).
        centres: Centres of the regions from 0 to 1 of the view, shape (M, 2).
        image: Index of the image of each region, shape (M,).
        train: Indices of the training images, at least two.
        test: Indices of the test images.

    Returns:
        The mean distance between the predicted and the true centre, and its chance level: the distance to the centre
        of the view. Both are in sides of the view.
    """

    def fit(images: Tensor, penalty: float) -> LinearProbe:
        chosen = torch.isin(image, images)
        return fit_ridge(features[chosen], centres[chosen], penalty)

    def error(probe: LinearProbe, images: Tensor) -> float:
        chosen = torch.isin(image, images)
        return (probe(features[chosen]) - centres[chosen]).norm(dim=-1).mean().item()

    probe = fit_with_best_penalty(fit, error, train)
    return error(probe, test), (centres[torch.isin(image, test)] - 0.5).norm(dim=-1).mean().item()


def measure_regions(
    features: RegionFeatures,
    images: RegionImages,
    pastes: RegionPastes,
    num_cells: int,
    seeds: Sequence[int],
    k: int = 20,
    on_result: Callable[[str, MeasureResult | UserError], object] | None = None,
) -> Results:
    """Computes every measure of `REGION_MEASURES` on the test images of random splits.

    Object k-NN is left out if there are no objects.

    Args:
        features: Features of the regions and objects.
        images: The images.
        pastes: The pastes.
        num_cells: Cells along a side of the feature map.
        seeds: Seeds of the splits.
        k: Neighbours of object k-NN.
        on_result: See `evaluate_splits`.

    Returns:
        Results in the order of `REGION_MEASURES`.
    """
    splits = [split_images(len(images.views), seed) for seed in seeds]
    is_shifted = (pastes.original != pastes.moved).any(dim=1)
    centres = (pastes.moved[:, :2] + pastes.moved[:, 2:]).double() / (2 * num_cells)
    every_region = torch.ones_like(is_shifted)
    functions: dict[str, SplitFunction] = {
        'coupling': _distance(features.clean, features.swapped, every_region, images, pastes),
        'shift_bias': _distance(features.swapped, features.moved, is_shifted, images, pastes),
        'region_position_error': lambda train, test: region_position_probe(
            features.moved, centres, images.regions_image, train, test
        ),
    }
    if len(images.labels):
        functions['object_knn'] = lambda train, test: object_knn(
            features.objects, images.labels, *split_objects(images.labels, images.objects_image, train, test)[:2], k
        )
    return evaluate_splits(functions, splits, on_result)


def _distance(
    first: Tensor, second: Tensor, allowed: Tensor, images: RegionImages, pastes: RegionPastes
) -> SplitFunction:
    """Returns the `relative_distance` of the allowed regions, shape (M,), as a function of the split."""

    def distance(train: Tensor, test: Tensor) -> ValueAndChance:
        is_train = torch.isin(images.regions_image, train)
        is_query = torch.isin(images.regions_image, test) & allowed
        centre = torch.cat([first[is_train], second[is_train]]).mean(dim=0)
        value = relative_distance(
            unit_vectors(first[is_query], centre),
            unit_vectors(second[is_query], centre),
            images.regions_image[is_query],
            pastes.background[is_query],
        )
        return value, 1.0

    return distance
