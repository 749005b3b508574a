"""Image classification by k-NN and by a linear classifier."""

import os
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmssl_geo.evaluation.frozen_net import OnViews, run_frozen
from mmssl_geo.evaluation.knn import DEFAULT_KS, knn_classify, majority_class_accuracy
from mmssl_geo.evaluation.linear_probe import LinearProbe, fit_logistic, fit_with_best_penalty
from mmssl_geo.utils.errors import UserError

from .base import PENALTIES, Probe, Samples, Scores, check_disjoint
from .datasets import ClassImages


class ClassificationProbe(Probe):
    """Classifies images by one feature vector each.

    Args:
        train: Class folders or a list, see `ClassImages`.
        val: Likewise.
        size: Side of the views in pixels.
        pool: 'mean' for the mean over the feature map, 'cls' for the [CLS] token.
        **options: Options of `Probe`.

    Raises:
        UserError: If `pool` is neither of the two, or the sources are the same or cannot be used.
    """

    def __init__(
        self, train: str | os.PathLike, val: str | os.PathLike, size: int = 224, pool: str = 'mean', **options: Any
    ) -> None:  # noqa: ANN401  (options of the base class)
        if pool not in ('mean', 'cls'):
            raise UserError(f'pool must be mean or cls, got {pool}')
        check_disjoint(train, val)
        images = ClassImages(train, size)
        super().__init__(images, ClassImages(val, size, images.classes), size, **options)
        self.output = 'cls' if pool == 'cls' else 'map'
        self.num_classes = len(images.classes)

    def evaluate_subsets(self, net: nn.Module, subsets: Sequence[Tensor], on_views: OnViews) -> list[Scores]:
        used = torch.cat(list(subsets)).unique()
        train, labels = self.vectors(net, self.train, used, on_views)
        val, val_labels = self.vectors(net, self.val, torch.arange(self.num_val), on_views)
        scores = []
        for subset in subsets:
            rows = torch.searchsorted(used, subset).to(train.device)
            scores.append(self.score(train[rows], labels[rows], val, val_labels))
        return scores

    def vectors(self, net: nn.Module, samples: Samples, indices: Tensor, on_views: OnViews) -> tuple[Tensor, Tensor]:
        """Computes feature vectors, shape (N, C), and labels, shape (N,), on the device of the net."""
        parts, labels = [], []
        for _, views, batch_labels in self.batches(samples, indices, on_views):
            output = run_frozen(net, views)
            parts.append(output if self.output == 'cls' else output.mean(dim=(2, 3)))
            labels += batch_labels
        vectors = torch.cat(parts)
        return vectors, torch.tensor(labels, device=vectors.device)

    @abstractmethod
    def score(self, train: Tensor, labels: Tensor, val: Tensor, val_labels: Tensor) -> Scores:
        """Computes the scores of one training subset.

        Args:
            train: Training vectors in random order, shape (N, C).
            labels: Classes of the training vectors, shape (N,).
            val: Validation vectors, shape (M, C).
            val_labels: Classes of the validation vectors, shape (M,).
        """


class KnnProbe(ClassificationProbe):
    """k-NN classification as in DINO's evaluation (official code): votes weighted by exp(cosine / 0.07).

    Args:
        train: See `ClassificationProbe`.
        val: See `ClassificationProbe`.
        ks: Numbers of neighbours.
        **options: Options of `ClassificationProbe`.
    """

    def __init__(
        self, train: str | os.PathLike, val: str | os.PathLike, ks: Sequence[int] = DEFAULT_KS, **options: Any
    ) -> None:  # noqa: ANN401  (options of the base class)
        super().__init__(train, val, **options)
        self.ks = ks

    def score(self, train: Tensor, labels: Tensor, val: Tensor, val_labels: Tensor) -> Scores:
        predictions = knn_classify(F.normalize(val, dim=1), F.normalize(train, dim=1), labels, self.ks)
        chance = majority_class_accuracy(labels, val_labels)
        return {f'top1_k{k}': ((predictions[k] == val_labels).double().mean().item(), chance) for k in self.ks}


class LinearClassificationProbe(ClassificationProbe):
    """Logistic regression solved to the optimum; the penalty is selected on a held-out half of the training images."""

    def score(self, train: Tensor, labels: Tensor, val: Tensor, val_labels: Tensor) -> Scores:
        def fit(rows: Tensor, penalty: float) -> LinearProbe:
            return fit_logistic(train[rows], labels[rows], self.num_classes, penalty)

        def loss(probe: LinearProbe, rows: Tensor) -> float:
            return F.cross_entropy(probe(train[rows]), labels[rows]).item()

        rows = torch.arange(len(train), device=train.device)
        predictions = fit_with_best_penalty(fit, loss, rows, PENALTIES)(val).argmax(dim=1)
        accuracy = (predictions == val_labels).double().mean().item()
        return {'top1': (accuracy, majority_class_accuracy(labels, val_labels))}
