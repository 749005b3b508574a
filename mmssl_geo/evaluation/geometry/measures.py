"""All measures of geometric sensitivity of one set of features."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

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

from .correspondence import correspondence_precision
from .equivariance import crop_equivariance_error, rotation_equivariance_error
from .linear_probes import position_probe, rotation_probe
from .views import GeometryFeatures, GeometryViews

GEOMETRY_MEASURES = {
    'rotation_accuracy': Measure('rotation probe, accuracy %', 100),
    'position_error': Measure('position probe, error in sides'),
    'rotation_equivariance_error': Measure('equivariance error, rotation'),
    'crop_equivariance_error': Measure('equivariance error, crops'),
    'upright_precision': Measure('correspondence, upright, precision %', 100),
    'rotated_precision': Measure('correspondence, rotated, precision %', 100),
}


def measure_geometry(
    features: GeometryFeatures,
    views: GeometryViews,
    seeds: Sequence[int],
    tolerance: float = 1.0,
    on_result: Callable[[str, MeasureResult | UserError], object] | None = None,
) -> Results:
    """Computes every measure of `GEOMETRY_MEASURES` on the test images of random splits.

    Directions are relative to the mean cell of the centre crops of the training images.

    Args:
        features: Features of N >= 4 images.
        views: The views of these images.
        seeds: Seeds of the splits.
        tolerance: Tolerance of `correspondence_precision`, in cells.
        on_result: See `evaluate_splits`.

    Returns:
        Results in the order of `GEOMETRY_MEASURES`.
    """
    splits = [split_images(len(views.squares), seed) for seed in seeds]
    return evaluate_splits(_split_functions(features, views, tolerance), splits, on_result)


def _split_functions(features: GeometryFeatures, views: GeometryViews, tolerance: float) -> dict[str, SplitFunction]:
    squares = features.rotated_squares

    def centre(train: Tensor) -> Tensor:
        return squares[0, train].mean(dim=(0, 2, 3), dtype=torch.float64).to(squares.dtype)

    def rotations(train: Tensor, test: Tensor) -> ValueAndChance:
        return rotation_equivariance_error(squares[:, test], centre(train)), 1.0

    def crops(train: Tensor, test: Tensor) -> ValueAndChance:
        return crop_equivariance_error(
            features.first[test], features.second[test], views.crop_boxes_src[test], centre(train)
        ), 1.0

    def precision(second: Tensor, turns: Tensor) -> SplitFunction:
        return lambda train, test: correspondence_precision(
            features.first[test], second[test], views.crop_boxes_src[test], turns[test], centre(train), tolerance
        )

    return {
        'rotation_accuracy': lambda train, test: rotation_probe(squares, train, test),
        'position_error': lambda train, test: position_probe(squares[0], train, test),
        'rotation_equivariance_error': rotations,
        'crop_equivariance_error': crops,
        'upright_precision': precision(features.second, torch.zeros_like(views.turns)),
        'rotated_precision': precision(features.second_rotated, views.turns),
    }
