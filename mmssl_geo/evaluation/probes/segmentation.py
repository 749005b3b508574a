"""Linear segmentation of feature maps (a 1 x 1 convolution)."""

import os
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmssl_geo.evaluation.frozen_net import OnViews, run_frozen
from mmssl_geo.evaluation.linear_probe import LinearProbe, fit_logistic, fit_with_best_penalty
from mmssl_geo.utils.errors import UserError

from .base import PENALTIES, Probe, Scores, check_disjoint
from .datasets import IGNORED, LabelledImages

Folders = Sequence[str | os.PathLike]
LabelledCells = tuple[Tensor, Tensor, Tensor]


class SegmentationProbe(Probe):
    """Logistic regression on single cells, evaluated at the resolution of the label maps.

    The probe is fitted to `num_cells` cells, the same number from each image; the label of a cell is the majority of
    its labelled pixels. For the evaluation, the scores of the cells are upsampled (bilinear) to the label map. mIoU
    and mAcc are means over the classes that occur, as in mmseg.

    Args:
        train: Folder of images and folder of label maps.
        val: Likewise.
        num_classes: Number of classes, at most 255.
        size: Side of the views in pixels.
        num_cells: Largest number of training cells.
        reduce_zero_label: See `LabelledImages`.
        image_suffix: See `LabelledImages`.
        label_suffix: See `LabelledImages`.
        **options: Options of `Probe`.

    Raises:
        UserError: If the number of classes is out of range, or the folders are the same or cannot be used.
    """

    def __init__(
        self,
        train: Folders,
        val: Folders,
        num_classes: int,
        size: int = 224,
        num_cells: int = 20000,
        reduce_zero_label: bool = False,
        image_suffix: str | None = None,
        label_suffix: str = '.png',
        **options: Any,
    ) -> None:  # noqa: ANN401  (options of the base class)
        if not 2 <= num_classes <= IGNORED:
            raise UserError(f'{num_classes} classes: must be 2 to {IGNORED}, because the label {IGNORED} is ignored')
        check_disjoint(train[0], val[0])
        train_images, val_images = (
            LabelledImages(images, labels, size, num_classes, reduce_zero_label, image_suffix, label_suffix)
            for images, labels in (train, val)
        )
        super().__init__(train_images, val_images, size, **options)
        self.num_classes = num_classes
        self.cells_per_image = max(1, num_cells // self.num_train)

    def evaluate_subsets(self, net: nn.Module, subsets: Sequence[Tensor], on_views: OnViews) -> list[Scores]:
        cells = self.sample_cells(net, subsets, on_views)
        probes = [self.fit(*subset_cells, subset) for subset_cells, subset in zip(cells, subsets, strict=True)]
        matrices = [torch.zeros(self.num_classes, self.num_classes, dtype=torch.long) for _ in probes]
        for _, views, labels in self.batches(self.val, torch.arange(self.num_val), on_views):
            maps = run_frozen(net, views)
            for probe, matrix in zip(probes, matrices, strict=True):
                logits = probe(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).float()
                for image_logits, truth in zip(logits, labels, strict=True):
                    upsampled = F.interpolate(image_logits[None], truth.shape, mode='bilinear')[0]
                    matrix += confusion_matrix(truth, upsampled.argmax(dim=0).cpu(), self.num_classes)
        return [segmentation_scores(matrix) for matrix in matrices]

    def sample_cells(self, net: nn.Module, subsets: Sequence[Tensor], on_views: OnViews) -> list[LabelledCells]:
        """Samples labelled cells of the images of each subset.

        Returns:
            For each subset, the features, shape (N, C), the labels, shape (N,), and the indices of the images, shape
            (N,), of the cells.
        """
        found: list[list[LabelledCells]] = [[] for _ in subsets]
        generator = torch.Generator().manual_seed(0)
        for batch, views, labels in self.batches(self.train, torch.cat(list(subsets)).unique(), on_views):
            maps = run_frozen(net, views)
            for cells, truth, index in zip(maps.flatten(2).transpose(1, 2), labels, batch, strict=True):
                classes = majority_labels(truth, maps.shape[-2:], self.num_classes).flatten()
                labelled = (classes != IGNORED).nonzero()[:, 0]
                for parts, subset in zip(found, subsets, strict=True):
                    if index in subset:
                        order = torch.randperm(len(labelled), generator=generator)
                        chosen = labelled[order[: self.cells_per_image]]
                        parts.append((cells[chosen.to(cells.device)], classes[chosen], index.repeat(len(chosen))))
        return [
            (torch.cat(features), torch.cat(classes), torch.cat(images))
            for features, classes, images in (zip(*parts, strict=True) for parts in found)
        ]

    def fit(self, features: Tensor, labels: Tensor, image_index: Tensor, subset: Tensor) -> LinearProbe:
        """Fits the probe; the images, not the cells, are split to select the penalty.

        Args:
            features: Features of the cells, shape (N, C).
            labels: Labels of the cells, shape (N,).
            image_index: Index of the image of each cell, shape (N,).
            subset: Indices of the training images in random order.

        Raises:
            UserError: If fewer than two images have labelled pixels.
        """
        images = subset[torch.isin(subset, image_index)]
        if len(images) < 2:
            raise UserError(f'{len(images)} of the training images have labelled pixels: at least 2 are needed')
        labels = labels.to(features.device)

        def cells_of(images: Tensor) -> tuple[Tensor, Tensor]:
            rows = torch.isin(image_index, images).nonzero()[:, 0].to(features.device)
            return features[rows], labels[rows]

        def fit(images: Tensor, penalty: float) -> LinearProbe:
            return fit_logistic(*cells_of(images), self.num_classes, penalty)

        def loss(probe: LinearProbe, images: Tensor) -> float:
            cells, truth = cells_of(images)
            return F.cross_entropy(probe(cells), truth).item()

        return fit_with_best_penalty(fit, loss, images, PENALTIES)


def majority_labels(labels: Tensor, grid: Sequence[int], num_classes: int) -> Tensor:
    """Computes the most frequent class of the labelled pixels of every cell.

    Args:
        labels: Label map, shape (H, W), uint8. A pixel belongs to the cell that contains its centre.
        grid: Number of cells in height and width, (h, w).
        num_classes: Number of classes.

    Returns:
        Class indices, shape (h, w), int64; 255 for cells without labelled pixels. Ties go to the lowest class.
    """
    rows, columns = (
        ((torch.arange(length) + 0.5) * cells / length).long() for length, cells in zip(labels.shape, grid, strict=True)
    )
    cell = (rows[:, None] * grid[1] + columns).flatten()
    labels = labels.flatten().long()
    known = labels != IGNORED
    counts = torch.bincount(cell[known] * num_classes + labels[known], minlength=grid[0] * grid[1] * num_classes)
    counts = counts.view(*grid, num_classes)
    return torch.where(counts.sum(dim=-1) > 0, counts.argmax(dim=-1), IGNORED)


def confusion_matrix(labels: Tensor, predictions: Tensor, num_classes: int) -> Tensor:
    """Counts pixels by true class (row) and predicted class (column); pixels labelled 255 are ignored.

    Args:
        labels: True classes, uint8, any shape.
        predictions: Predicted classes, int64, the same shape.
        num_classes: Number of classes K.

    Returns:
        Counts, shape (K, K).
    """
    known = labels != IGNORED
    pairs = labels[known].long() * num_classes + predictions[known]
    return torch.bincount(pairs, minlength=num_classes**2).view(num_classes, num_classes)


def segmentation_scores(matrix: Tensor) -> Scores:
    """Computes mIoU, mAcc and aAcc of a confusion matrix, shape (K, K), as in mmseg.

    mIoU averages over classes that occur in the labels or in the predictions, mAcc over classes in the labels. The
    chance level is the score of always predicting the most frequent class.

    Raises:
        UserError: If no pixel is labelled.
    """
    matrix = matrix.double()
    hits, true, predicted = matrix.diagonal(), matrix.sum(dim=1), matrix.sum(dim=0)
    if not matrix.sum():
        raise UserError('no pixel of the validation images is labelled')
    union = true + predicted - hits
    majority, num_present = true.max() / true.sum(), (true > 0).sum()
    return {
        'mIoU': ((hits / union)[union > 0].mean().item(), (majority / num_present).item()),
        'mAcc': ((hits / true)[true > 0].mean().item(), (1 / num_present).item()),
        'aAcc': ((hits.sum() / matrix.sum()).item(), majority.item()),
    }
