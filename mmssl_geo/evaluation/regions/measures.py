"""What features of regions owe to the surroundings and to the place. `docs/measures.md` defines the measures."""
import torch

from mmssl_geo.evaluation.geometry.linear_probes import fit_with_best_penalty
from mmssl_geo.evaluation.geometry.measures import Measure, average_over_splits, split_images
from mmssl_geo.evaluation.linear_probe import fit_ridge
from mmssl_geo.evaluation.probes.object_knn import object_knn, split_objects, unit_vectors
from mmssl_geo.utils.errors import UserError

REGION_MEASURES = {
    'coupling': Measure('coupling'),
    'shift_bias': Measure('positional bias, shift'),
    'region_position_error': Measure('region position read-out, error in sides'),
    'object_knn': Measure('O-KNN, accuracy %', 100),
}


def relative_distance(first, second, image, background):
    """How far features are from their counterparts, as a share of how far they are from unrelated ones.

    `(1 - mean cosine of regions i, i) / (1 - mean cosine of regions i, j)`; i and j share no image, neither as
    their own nor as background. Where all features are alike, it is 1 (our choice).

    Args:
        first, second: `(M, C)` directions, the same regions in both.
        image, background: `(M,)`, their images.

    Raises:
        UserError: every two regions share an image.
    """
    own = torch.stack([image, background], dim=1)
    related = (own[:, None, :, None] == own[None, :, None, :]).any(dim=-1).any(dim=-1)
    if related.all():
        raise UserError('the regions of a half of the images all share images: raise --num-images')
    cosines = first.double() @ second.double().T
    matched = 1 - cosines.diagonal().mean().item()
    unrelated = 1 - cosines[~related].mean().item()
    return matched / unrelated if unrelated > 1e-6 else 1.


def region_position_readout(features, centres, image, train, test):
    """Error of a linear probe that says from a region's feature where it is.

    Args:
        features: `(M, C)`, of regions pasted at random places.
        centres: `(M, 2)`, of the regions, in 0 to 1 of the view.
        image: `(M,)`, their images.
        train, test: numbers of the images to fit on (two or more) and to test on.

    Returns:
        tuple: the mean distance from the told to the true centre, and that of always telling the view's middle (the
        chance), both in sides of the view.
    """

    def fit(numbers, penalty):
        chosen = torch.isin(image, numbers)
        return fit_ridge(features[chosen], centres[chosen], penalty)

    def error(probe, numbers):
        chosen = torch.isin(image, numbers)
        return (probe(features[chosen]) - centres[chosen]).norm(dim=-1).mean().item()

    probe = fit_with_best_penalty(fit, error, train)
    return error(probe, test), (centres[torch.isin(image, test)] - 0.5).norm(dim=-1).mean().item()


def measure_regions(features, images, pastes, cells, seeds, k=20, on_measure=lambda name, measured: None):
    """Every measure of `REGION_MEASURES`, for each seed with its own split of the images; O-KNN if there are objects.

    Args:
        features: RegionFeatures
        images: RegionImages
        pastes: RegionPastes
        cells: of the map along a side.
        seeds: numbers, of the splits.
        k: neighbours of O-KNN.
        on_measure: see `average_over_splits`.

    Returns:
        dict: name -> Measured, in the order of `REGION_MEASURES`.
    """
    owner = images.regions_image
    splits = [split_images(len(images.views), seed) for seed in seeds]

    def compared(first, second, allowed):
        def distance(train, test):
            fitted, asked = torch.isin(owner, train), torch.isin(owner, test) & allowed
            centre = torch.cat([first[fitted], second[fitted]]).mean(dim=0)
            value = relative_distance(unit_vectors(first[asked], centre), unit_vectors(second[asked], centre),
                                      owner[asked], pastes.background[asked])
            return value, 1.
        return distance

    shifted = (pastes.own != pastes.moved).any(dim=1)
    centres = (pastes.moved[:, :2] + pastes.moved[:, 2:]).double() / (2 * cells)
    functions = dict(
        coupling=compared(features.clean, features.swapped, torch.ones_like(shifted)),
        shift_bias=compared(features.swapped, features.moved, shifted),
        region_position_error=lambda train, test: region_position_readout(
            features.moved, centres, owner, train, test))
    if len(images.labels):
        functions['object_knn'] = lambda train, test: object_knn(
            features.objects, images.labels, *split_objects(images.labels, images.objects_image, train, test)[:2], k)
    return average_over_splits(functions, splits, on_measure)
