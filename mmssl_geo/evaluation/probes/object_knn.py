"""O-KNN: the class of an object told by its nearest neighbours among other images' objects."""
import torch

from mmssl_geo.evaluation.geometry.equivariance import unit_cells
from mmssl_geo.evaluation.knn import share_of_commonest, tell_by_nearest
from mmssl_geo.utils.errors import UserError

MIN_OBJECTS = 2  # of a class, to vote


def unit_vectors(features, centre):
    """`(N, C)` directions of features `(N, C)` from a centre `(C,)`; 0 where a feature is the centre."""
    return unit_cells(features[..., None, None], centre)[:, 0]


def split_objects(labels, image, train, test):
    """Objects to vote and objects to label; classes with fewer than 2 objects to vote are left out of both.

    Args:
        labels: `(K,)` integers.
        image: `(K,)`, the objects' images.
        train, test: numbers of images.

    Returns:
        tuple: indices of the objects to vote, of those to label, and the number left out of the latter.

    Raises:
        UserError: nothing is left to vote, or to label.
    """
    voters, asked = (torch.isin(image, numbers).nonzero()[:, 0] for numbers in (train, test))
    classes, counts = labels[voters].unique(return_counts=True)
    classes = classes[counts >= MIN_OBJECTS]
    kept = asked[torch.isin(labels[asked], classes)]
    if not len(kept):
        raise UserError(f'O-KNN: no object is left to label: {len(voters)} objects of at least --min-side pixels vote, '
                        f'and a class needs {MIN_OBJECTS} of them; take more images or a lower --min-side')
    return voters[torch.isin(labels[voters], classes)], kept, len(asked) - len(kept)


def object_knn(features, labels, voters, asked, k=20):
    """Share of objects whose class is told rightly by a vote of the k nearest, weighted by exp(cosine / 0.07).

    Args:
        features: `(K, C)` of all objects.
        labels: `(K,)` integers.
        voters, asked: indices of objects.
        k: neighbours, at most; fewer if there are fewer voters.

    Returns:
        tuple: the share, and that of always telling the voters' most frequent class (the chance).
    """
    centre = features[voters].mean(dim=0)
    told = tell_by_nearest(
        unit_vectors(features[asked], centre), unit_vectors(features[voters], centre), labels[voters], [k])[k]
    return (told == labels[asked]).double().mean().item(), share_of_commonest(labels[voters], labels[asked])
