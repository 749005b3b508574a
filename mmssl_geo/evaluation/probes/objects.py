"""Object k-NN with separate training and validation images."""

import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmssl_geo.evaluation.frozen_net import OnViews, run_frozen
from mmssl_geo.evaluation.knn import DEFAULT_KS, object_knn, split_objects
from mmssl_geo.geometry import pool_boxes

from .base import Probe, Samples, Scores, check_disjoint
from .datasets import ObjectImages

Source = Sequence[str | os.PathLike]


class ObjectKnnProbe(Probe):
    """Classifies validation objects by their nearest neighbours among the training objects (O-KNN).

    The feature of an object is the mean over its ground-truth box (aligned RoIAlign).

    Args:
        train: Image folder and COCO JSON file.
        val: Likewise.
        size: Side of the views in pixels.
        ks: Numbers of neighbours.
        min_side: Smallest side of the objects, in view pixels.
        **options: Options of `Probe`.

    Raises:
        UserError: If the sources are the same or cannot be used.
    """

    def __init__(
        self,
        train: Source,
        val: Source,
        size: int = 224,
        ks: Sequence[int] = DEFAULT_KS,
        min_side: float = 32,
        **options: Any,
    ) -> None:  # noqa: ANN401  (options of the base class)
        check_disjoint(train[1], val[1])
        train_images, val_images = (
            ObjectImages(folder, annotations, size, min_side) for folder, annotations in (train, val)
        )
        super().__init__(train_images, val_images, size, **options)
        self.ks = ks

    def evaluate_subsets(self, net: nn.Module, subsets: Sequence[Tensor], on_views: OnViews) -> list[Scores]:
        train = self.objects(net, self.train, torch.cat(list(subsets)).unique(), on_views)
        val = self.objects(net, self.val, torch.arange(self.num_val), on_views)
        features, labels = torch.cat([train[0], val[0]]), torch.cat([train[1], val[1]])
        image_index = torch.cat([train[2], val[2] + self.num_available])  # validation images follow the training images
        val_images = torch.arange(self.num_available, self.num_available + self.num_val)
        device_labels = labels.to(features.device)
        scores = []
        for subset in subsets:
            neighbours, queries, num_excluded = split_objects(labels, image_index, subset, val_images)
            one: Scores = {
                f'object_top1_k{k}': object_knn(features, device_labels, neighbours, queries, k) for k in self.ks
            }
            one['objects_evaluated'] = len(queries) / (len(queries) + num_excluded), 1.0
            scores.append(one)
        return scores

    def objects(
        self, net: nn.Module, samples: Samples, indices: Tensor, on_views: OnViews
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Computes the features of all objects of the given images.

        Returns:
            Features on the device of the net, shape (M, C), category ids, shape (M,), and indices of the images,
            shape (M,).
        """
        features, labels, image_index = [], [], []
        for batch, views, boxes_view, batch_labels in self.batches(samples, indices, on_views):
            maps = run_frozen(net, views)
            counts = torch.tensor([len(image_labels) for image_labels in batch_labels])
            boxes_feat = torch.cat(boxes_view).to(maps.device) * (maps.shape[-1] / self.size)
            map_index = torch.arange(len(views)).repeat_interleave(counts).to(maps.device)
            features.append(pool_boxes(maps, boxes_feat, map_index, 1).flatten(1))
            labels.append(torch.cat(batch_labels))
            image_index.append(batch.repeat_interleave(counts))
        return torch.cat(features), torch.cat(labels), torch.cat(image_index)
