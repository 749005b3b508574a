"""Probes of frozen features, by their names. `docs/measures.md` defines them."""
import torch
import torch.nn.functional as F

from mmssl_geo.evaluation.frozen_net import run_frozen
from mmssl_geo.evaluation.geometry.linear_probes import fit_with_best_penalty
from mmssl_geo.evaluation.knn import share_of_commonest, tell_by_nearest
from mmssl_geo.evaluation.linear_probe import fit_logistic
from mmssl_geo.geometry import pool_boxes
from mmssl_geo.utils.errors import UserError

from .base import Probe, refuse_same
from .datasets import ClassImages, ObjectImages
from .object_knn import object_knn, split_objects
from .segmentation import PENALTIES, SegmentationProbe

KS = (10, 20)


class ImageProbe(Probe):
    """Tells the class of an image by one vector of it.

    Args:
        train, val: class folders or lists, see `ClassImages`.
        size: S, the side of the views in pixels.
        pool: 'mean' of the map's cells, or 'cls'.
        **options: of `Probe`.
    """

    def __init__(self, train, val, size=224, pool='mean', **options):
        if pool not in ('mean', 'cls'):
            raise UserError(f'pool has to be mean or cls, got {pool}')
        refuse_same(train, val)
        images = ClassImages(train, size)
        super().__init__(images, ClassImages(val, size, images.classes), size, **options)
        self.output = 'cls' if pool == 'cls' else 'map'
        self.num_classes = len(images.classes)

    def ask(self, net, draws, on_images):
        wanted = torch.cat(draws).unique()
        train, labels = self.vectors(net, self.train, wanted, on_images)
        val, val_labels = self.vectors(net, self.val, torch.arange(self.counts[1]), on_images)
        results = []
        for draw in draws:
            rows = torch.searchsorted(wanted, draw).to(train.device)
            results.append(self.judge(train[rows], labels[rows], val, val_labels))
        return results

    def vectors(self, net, samples, indices, on_images):
        """`(N, C)` and classes `(N,)`, on the net's device."""
        vectors, labels = [], []
        for _, views, own in self.batches(samples, indices, on_images):
            output = run_frozen(net, views)
            vectors.append(output if self.output == 'cls' else output.mean(dim=(2, 3)))
            labels += own
        vectors = torch.cat(vectors)
        return vectors, torch.tensor(labels, device=vectors.device)


class KnnProbe(ImageProbe):
    """k-NN as DINO's (official code): cosine, votes of weight exp(cosine / 0.07).

    Args:
        ks: numbers of neighbours.
        **options: of `ImageProbe`.
    """

    def __init__(self, train, val, ks=KS, **options):
        super().__init__(train, val, **options)
        self.ks = ks

    def judge(self, train, labels, val, val_labels):
        told = tell_by_nearest(F.normalize(val, dim=1), F.normalize(train, dim=1), labels, self.ks)
        chance = share_of_commonest(labels, val_labels)
        return {f'top1_k{k}': ((told[k] == val_labels).double().mean().item(), chance) for k in self.ks}


class LinearImageProbe(ImageProbe):
    """Logistic regression, solved to the optimum; one half of the labelled images chooses the penalty of the other."""

    def judge(self, train, labels, val, val_labels):
        def fit(rows, penalty):
            return fit_logistic(train[rows], labels[rows], self.num_classes, penalty)

        def loss(probe, rows):
            return F.cross_entropy(probe(train[rows]), labels[rows]).item()

        order = torch.arange(len(train), device=train.device)  # the draw is in random order
        told = fit_with_best_penalty(fit, loss, order, PENALTIES)(val).argmax(dim=1)
        return dict(top1=((told == val_labels).double().mean().item(), share_of_commonest(labels, val_labels)))


class ObjectKnnProbe(Probe):
    """O-KNN: the class of an object told by its nearest neighbours among the objects of the labelled images.

    An object's feature is the mean of its ground-truth box (RoIAlign, aligned).

    Args:
        train, val: `(images, annotations)`, folder and COCO json.
        size: S, the side of the views in pixels.
        ks: numbers of neighbours.
        min_side: of objects, in pixels of the view.
        **options: of `Probe`.
    """

    def __init__(self, train, val, size=224, ks=KS, min_side=32, **options):
        refuse_same(train[1], val[1])
        super().__init__(*(ObjectImages(*source, size, min_side) for source in (train, val)), size, **options)
        self.ks = ks

    def ask(self, net, draws, on_images):
        num, num_val = self.counts
        parts = [self.objects(net, self.train, torch.cat(draws).unique(), on_images),
                 self.objects(net, self.val, torch.arange(num_val), on_images)]
        parts[1][2].add_(num)  # images of both sets are numbered through
        features, labels, image = (torch.cat(column) for column in zip(*parts, strict=True))
        labels_there = labels.to(features.device)
        results = []
        for draw in draws:
            voters, asked, left_out = split_objects(labels, image, draw, torch.arange(num, num + num_val))
            result = {f'object_top1_k{k}': object_knn(features, labels_there, voters, asked, k) for k in self.ks}
            results.append(dict(result, objects_asked=(len(asked) / (len(asked) + left_out), 1.)))
        return results

    def objects(self, net, samples, indices, on_images):
        """`(M, C)` features on the net's device, category ids `(M,)` and numbers of the images `(M,)`."""
        found = []
        for numbers, views, boxes_view, labels in self.batches(samples, indices, on_images):
            maps = run_frozen(net, views)
            counts = torch.tensor([len(own) for own in labels])
            boxes_feat = torch.cat(boxes_view).to(maps.device) * (maps.shape[-1] / self.size)
            owner = torch.arange(len(views)).repeat_interleave(counts)
            pooled = pool_boxes(maps, boxes_feat, owner.to(maps.device), 1).flatten(1)
            found.append((pooled, torch.cat(labels), numbers.repeat_interleave(counts)))
        return [torch.cat(column) for column in zip(*found, strict=True)]


PROBES = {'knn': KnnProbe, 'linear': LinearImageProbe, 'object-knn': ObjectKnnProbe, 'segmentation': SegmentationProbe}
