"""Classes told by the nearest neighbours, as in DINO's k-NN evaluation (official code)."""
import torch

TEMPERATURE = 0.07
CHUNK = 256  # samples asked at a time: their cosines to a million voters take 1 GB


def tell_by_nearest(asked, voters, labels, ks):
    """Classes by a vote of the k nearest by cosine, each with the weight exp(cosine / 0.07).

    Args:
        asked: `(N, C)` directions (length 1, or 0).
        voters: `(M, C)` directions.
        labels: `(M,)` integers, the voters' classes.
        ks: numbers of neighbours; M if that is fewer.

    Returns:
        dict: k -> `(N,)` classes, of those with equal votes the lowest.
    """
    classes, of_voter = labels.unique(return_inverse=True)
    told = {k: [] for k in ks}
    for part in asked.split(CHUNK):
        nearest = (part @ voters.T).topk(min(max(ks), len(voters)), dim=1)
        weights, candidates = (nearest.values.double() / TEMPERATURE).exp(), of_voter[nearest.indices]
        for k in ks:
            votes = weights.new_zeros(len(part), len(classes)).scatter_add_(1, candidates[:, :k], weights[:, :k])
            told[k].append(classes[votes.argmax(dim=1)])
    return {k: torch.cat(parts) for k, parts in told.items()}


def share_of_commonest(labels, asked_labels):
    """Share of those asked that belong to the voters' most frequent class: the chance of always telling it."""
    classes, counts = labels.unique(return_counts=True)
    return (asked_labels == classes[counts.argmax()]).double().mean().item()
