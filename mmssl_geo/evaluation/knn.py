"""k-NN classification of vectors and of objects, with the vote of DINO's k-NN evaluation (official code)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmssl_geo.utils.errors import UserError

from .directions import unit_vectors
from .results import ValueAndChance

DEFAULT_KS = (10, 20)
TEMPERATURE = 0.07
CHUNK_SIZE = 256  # the cosines of 256 queries with a million neighbours take 1 GB
MIN_OBJECTS = 2  # of a class among the training objects


def knn_classify(queries: Tensor, neighbours: Tensor, labels: Tensor, ks: Sequence[int]) -> dict[int, Tensor]:
    """Classifies queries by a vote of their k nearest neighbours by cosine, weighted by exp(cosine / 0.07).

    Args:
        queries: Unit or zero vectors, shape (N, C).
        neighbours: Unit or zero vectors, shape (M, C).
        labels: Integer classes of the neighbours, shape (M,).
        ks: Numbers of neighbours; a number above M counts as M.

    Returns:
        The predicted classes, shape (N,), for each k. Ties go to the lowest class.
    """
    classes, class_index = labels.unique(return_inverse=True)
    predictions: dict[int, list[Tensor]] = {k: [] for k in ks}
    for chunk in queries.split(CHUNK_SIZE):
        nearest = (chunk @ neighbours.T).topk(min(max(ks), len(neighbours)), dim=1)
        weights, candidates = (nearest.values.double() / TEMPERATURE).exp(), class_index[nearest.indices]
        for k in ks:
            votes = weights.new_zeros(len(chunk), len(classes)).scatter_add_(1, candidates[:, :k], weights[:, :k])
            predictions[k].append(classes[votes.argmax(dim=1)])
    return {k: torch.cat(parts) for k, parts in predictions.items()}


def majority_class_accuracy(labels: Tensor, query_labels: Tensor) -> float:
    """Computes the chance level: the accuracy of always predicting the most frequent training class.

    Args:
        labels: Integer classes for training, shape (M,).
        query_labels: Integer classes of the queries, shape (N,).
    """
    classes, counts = labels.unique(return_counts=True)
    return (query_labels == classes[counts.argmax()]).double().mean().item()


def split_objects(labels: Tensor, image_index: Tensor, train: Tensor, test: Tensor) -> tuple[Tensor, Tensor, int]:
    """Splits objects into neighbours and queries; excludes classes with fewer than two neighbours.

    Args:
        labels: Integer classes of the objects, shape (K,).
        image_index: Index of the image each object belongs to, shape (K,).
        train: Indices of the training images.
        test: Indices of the test images.

    Returns:
        Indices of the neighbours, indices of the queries, and the number of excluded queries.

    Raises:
        UserError: If no query is left.
    """
    neighbours, queries = (torch.isin(image_index, images).nonzero()[:, 0] for images in (train, test))
    classes, counts = labels[neighbours].unique(return_counts=True)
    classes = classes[counts >= MIN_OBJECTS]
    kept = queries[torch.isin(labels[queries], classes)]
    if not len(kept):
        raise UserError(
            f'object k-NN: no object can be classified: there are {len(neighbours)} training objects of at '
            f'least --min-side pixels, and each class needs {MIN_OBJECTS}; use more images or a smaller '
            '--min-side'
        )
    return neighbours[torch.isin(labels[neighbours], classes)], kept, len(queries) - len(kept)


def object_knn(features: Tensor, labels: Tensor, neighbours: Tensor, queries: Tensor, k: int = 20) -> ValueAndChance:
    """Computes the accuracy of k-NN classification of objects.

    Args:
        features: Features of all objects, shape (K, C).
        labels: Integer classes of all objects, shape (K,).
        neighbours: Indices of the training objects.
        queries: Indices of the objects to classify.
        k: Number of neighbours; all of them if there are fewer.

    Returns:
        The accuracy and its chance level.
    """
    centre = features[neighbours].mean(dim=0)
    predictions = knn_classify(
        unit_vectors(features[queries], centre), unit_vectors(features[neighbours], centre), labels[neighbours], [k]
    )[k]
    return (
        (predictions == labels[queries]).double().mean().item(),
        majority_class_accuracy(labels[neighbours], labels[queries]),
    )
