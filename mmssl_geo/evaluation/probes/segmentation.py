"""A linear segmentation of patch tokens (a 1 x 1 convolution)."""
import torch
import torch.nn.functional as F

from mmssl_geo.evaluation.frozen_net import run_frozen
from mmssl_geo.evaluation.geometry.linear_probes import fit_with_best_penalty
from mmssl_geo.evaluation.linear_probe import fit_logistic
from mmssl_geo.utils.errors import UserError

from .base import Probe, refuse_same
from .datasets import IGNORED, LabelledImages

PENALTIES = (1e-4, 1e-3, 1e-2, 0.1, 1.)


class SegmentationProbe(Probe):
    """Logistic regression on single cells; judged at the label maps' own resolution.

    Learnt from `num_cells` cells, as many from each image, whose label is the majority of their labelled pixels. To
    judge, the scores of the cells are upsampled (bilinear) to the label map. mIoU and mAcc are means over the classes
    that occur, as mmseg takes them.

    Args:
        train, val: `(images, labels)`, folders.
        num_classes: at most 255.
        size: S, the side of the views in pixels.
        num_cells: to learn from, at most.
        reduce_zero_label, image_suffix, label_suffix: see `LabelledImages`.
        **options: of `Probe`.
    """

    def __init__(self, train, val, num_classes, size=224, num_cells=20000, reduce_zero_label=False, image_suffix=None,
                 label_suffix='.png', **options):
        if not 2 <= num_classes <= IGNORED:
            raise UserError(f'{num_classes} classes: it takes 2 to {IGNORED} of them, {IGNORED} is what is ignored')
        refuse_same(train[0], val[0])
        super().__init__(*(LabelledImages(
            *folders, size, num_classes, reduce_zero_label, image_suffix, label_suffix) for folders in (train, val)),
            size, **options)
        self.num_classes = num_classes
        self.num_cells = max(1, num_cells // self.num_train)

    def ask(self, net, draws, on_images):
        cells = self.draw_cells(net, draws, on_images)
        probes = [self.fit(*own, draw) for own, draw in zip(cells, draws, strict=True)]
        matrices = [torch.zeros(self.num_classes, self.num_classes, dtype=torch.long) for _ in probes]
        for _, views, labels in self.batches(self.val, torch.arange(self.counts[1]), on_images):
            maps = run_frozen(net, views)
            for probe, matrix in zip(probes, matrices, strict=True):
                scores = probe(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).float()
                for own, truth in zip(scores, labels, strict=True):
                    told = F.interpolate(own[None], truth.shape, mode='bilinear')[0].argmax(dim=0)
                    matrix += confusion_matrix(truth, told.cpu(), self.num_classes)
        return [segmentation_scores(matrix) for matrix in matrices]

    def draw_cells(self, net, draws, on_images):
        """For each draw the features `(n, C)`, labels `(n,)` and images `(n,)` of cells chosen in its images."""
        found = [[] for _ in draws]
        generator = torch.Generator().manual_seed(0)
        for numbers, views, labels in self.batches(self.train, torch.cat(draws).unique(), on_images):
            maps = run_frozen(net, views)
            for cells, truth, number in zip(maps.flatten(2).transpose(1, 2), labels, numbers, strict=True):
                classes = majority_labels(truth, maps.shape[-2:], self.num_classes).flatten()
                labelled = (classes != IGNORED).nonzero()[:, 0]
                for parts in (parts for parts, draw in zip(found, draws, strict=True) if number in draw):
                    chosen = labelled[torch.randperm(len(labelled), generator=generator)[:self.num_cells]]
                    parts.append((cells[chosen.to(cells.device)], classes[chosen], number.repeat(len(chosen))))
        return [[torch.cat(column) for column in zip(*parts, strict=True)] for parts in found]

    def fit(self, features, labels, image, draw):
        """LinearProbe; the images, not the cells, are split to choose the penalty."""
        images = draw[torch.isin(draw, image)]
        if len(images) < 2:
            raise UserError(f'{len(images)} of the images to learn from have labelled pixels: at least 2 are needed')
        labels = labels.to(features.device)

        def chosen(numbers):
            rows = torch.isin(image, numbers).nonzero()[:, 0].to(features.device)
            return features[rows], labels[rows]

        def fit(numbers, penalty):
            return fit_logistic(*chosen(numbers), self.num_classes, penalty)

        def loss(probe, numbers):
            cells, truth = chosen(numbers)
            return F.cross_entropy(probe(cells), truth).item()

        return fit_with_best_penalty(fit, loss, images, PENALTIES)


def majority_labels(labels, grid, num_classes):
    """The most frequent class of the labelled pixels of every cell, 255 where there are none.

    Args:
        labels: `(H, W)` uint8; a pixel belongs to the cell that its centre lies in.
        grid: `(h, w)`, cells.
        num_classes: K.

    Returns:
        `(h, w)` int64; of classes as frequent the lowest.
    """
    rows, columns = (((torch.arange(length) + 0.5) * cells / length).long()
                     for length, cells in zip(labels.shape, grid, strict=True))
    cell = (rows[:, None] * grid[1] + columns).flatten()
    labels = labels.flatten().long()
    known = labels != IGNORED
    counts = torch.bincount(cell[known] * num_classes + labels[known], minlength=grid[0] * grid[1] * num_classes)
    counts = counts.view(*grid, num_classes)
    return torch.where(counts.sum(dim=-1) > 0, counts.argmax(dim=-1), IGNORED)


def confusion_matrix(labels, told, num_classes):
    """Pixels `(K, K)` by true class (row) and told class (column); those labelled 255 do not count.

    Args:
        labels: uint8 of any shape.
        told: int64 of the same shape.
        num_classes: K.
    """
    known = labels != IGNORED
    pairs = labels[known].long() * num_classes + told[known]
    return torch.bincount(pairs, minlength=num_classes ** 2).view(num_classes, num_classes)


def segmentation_scores(matrix):
    """mIoU, mAcc and aAcc of a confusion matrix, each with what always telling the commonest class has.

    As in mmseg, a class counts in mIoU that is in the labels or told, and in mAcc that is in the labels.

    Raises:
        UserError: no pixel is labelled.
    """
    matrix = matrix.double()
    hits, true, told = matrix.diagonal(), matrix.sum(dim=1), matrix.sum(dim=0)
    if not matrix.sum():
        raise UserError('no pixel of the images to judge by is labelled')
    union = true + told - hits
    commonest, present = true.max() / true.sum(), (true > 0).sum()
    return dict(
        mIoU=((hits / union)[union > 0].mean().item(), (commonest / present).item()),
        mAcc=((hits / true)[true > 0].mean().item(), (1 / present).item()),
        aAcc=((hits.sum() / matrix.sum()).item(), commonest.item()))
