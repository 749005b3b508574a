"""D3SSL: de-coupling and de-positioning dense self-supervised learning (arXiv 2303.16947)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmssl_geo.geometry import pool_boxes
from mmssl_geo.registry import MODELS
from mmssl_geo.structures import RegionBatch
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.tensors import at_least_float32

from .patch_mixing import PatchMixing, build_patch_mixing, pool_kept
from .student_teacher import StudentTeacher
from .teacher import Teacher

STUDENT_VIEWS = ('x1_cut', 'x2_small', 'x3')
TEACHER_VIEWS = dict(clean=dict(x1='x1', x2='x2'), cut=dict(x1='x1_cut', x2='x2'))


@MODELS.register_module()
class D3SSL(StudentTeacher):
    """The student's vector of a region predicts the teacher's, independently of its surroundings and position.

    The student (`backbone`, `neck`, `head.predictor`) sees `x1_cut`, `x2_small` and the optional `x3`; the teacher the
    clean `x1` and `x2`. Every region is pooled from the backbone's maps (RoIAlign), converted to a vector by the rest
    of the backbone (res5 and the mean of a ResNet, the mean of a ViT) and projected. Every view is a separate forward
    pass, with separate statistics in each BatchNorm (SoCo's code).

    Args:
        backbone: Config of `SSLResNet`, or of `SSLVisionTransformer` with `out_type='featmap'`; other backbones meet
            the contract `RegionBackbone`.
        neck: Config of `RegionProjector`; `in_channels` follows the backbone unless given.
        head: Config of `D3SSLHead`; the predictor's width follows the projector unless given.
        data_preprocessor: Config; None: `RegionViewDataPreprocessor`.
        pooled_sizes: Cells per side of the pooled patches by view, e.g. `dict(x1=14, x2_small=7)`; for other views the
            side of their map (14 for 224 px at stride 16, 7 for 112 px; SoCo's code for 224 px).
        teacher_x1: 'clean', or 'cut' to show the teacher `x1_cut` instead of `x1` (the figure is ambiguous).
        mixing: Config of `PatchMixing`, which adds de-coupling by mixed patches on a vision transformer; None: no
            mixing.
        init_cfg: As in mmengine.

    Raises:
        UserError: If `teacher_x1` or a view in `pooled_sizes` is unknown, or the backbone does not support `mixing`.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        neck: dict[str, Any],
        head: dict[str, Any],
        data_preprocessor: dict[str, Any] | None = None,
        pooled_sizes: dict[str, int] | None = None,
        teacher_x1: str = 'clean',
        mixing: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        if teacher_x1 not in TEACHER_VIEWS:
            raise UserError(f'model.teacher_x1 must be "clean" or "cut", got {teacher_x1!r}')
        self._check_pooled_sizes(pooled_sizes or {})
        super().__init__(
            backbone,
            neck,
            head,
            data_preprocessor or dict(type='mmssl_geo.RegionViewDataPreprocessor'),
            init_cfg,
            batch_statistics=True,
        )
        self.teacher_views = TEACHER_VIEWS[teacher_x1]
        self.pooled_sizes = pooled_sizes or {}
        self.mixing = build_patch_mixing(mixing, self.backbone)

    @staticmethod
    def complete_head(head: dict[str, Any], backbone_channels: int, neck_channels: int) -> dict[str, Any]:
        """Fills in the width of the predictor."""
        return {**head, 'predictor': {'in_channels': neck_channels, **head['predictor']}}

    @torch.no_grad()
    def teacher_tokens(self, images: Tensor) -> Tensor:
        """Extracts the cells, shape (N, h * w, C), of the teacher's region maps of images of shape (N, 3, H, W).

        BatchNorms use and keep their running statistics.
        """
        self.teacher.eval()
        maps = self.teacher.backbone.region_maps(images)
        self.teacher.train(self.training)
        return maps.flatten(2).transpose(1, 2)

    def loss(self, views: RegionBatch) -> dict[str, Tensor]:
        """Computes the losses of a batch.

        Returns:
            See `D3SSLHead.loss`, `RegionBatch.statistics` and, with `mixing`, `PatchMixing.losses`.

        Raises:
            UserError: If the size of a view is not a multiple of the maps' stride, or the batch is a single region.
        """
        self._check_views(views)
        projections = {name: self.project_student(views, name) for name in STUDENT_VIEWS if name in views.images}
        targets = {target: self.project_teacher(views, name) for target, name in self.teacher_views.items()}
        losses = {**self.head.loss(self.head.predict(projections), targets), **views.statistics()}
        if self.mixing is not None:
            losses.update(self.mixing_losses(self.mixing, views, targets))
        return losses

    def mixing_losses(self, mixing: PatchMixing, views: RegionBatch, targets: dict[str, Tensor]) -> dict[str, Tensor]:
        """Computes the losses of the teacher's views with mixed patches, region by region (our choice).

        The student's vector is the mean of a region's kept tokens, the target the teacher's of the whole clean region,
        and a region is weighted by its share of kept tokens. The mixed views are one batch of the BatchNorms.

        Args:
            mixing: Draws the mixed views.
            views: The batch.
            targets: The teacher's projections by view, shape (B * K, D).
        """
        names = self.teacher_views.values()
        stride = self.backbone.region_stride
        clean_images = torch.cat([views.images[name] for name in names])
        mixed = mixing.draw(clean_images, len(names), stride, self.data_preprocessor)
        if mixed is None:
            return mixing.zero_losses(clean_images.device)
        maps = self.backbone.forward_mixed(mixed.images, mixed.donors, mixed.mask)[-1]
        boxes_view = torch.cat([views.regions[name] for name in names])[mixed.index]
        num_regions = boxes_view.shape[1]
        map_index = torch.arange(len(maps), device=maps.device).repeat_interleave(num_regions)
        vectors, shares = pool_kept(maps, mixed.kept, boxes_view.flatten(0, 1) / stride, map_index, maps.shape[-1])
        predictions = self.head.predict({'mixed': self.neck(vectors)})['mixed']
        projections = torch.cat(list(targets.values())).unflatten(0, (-1, num_regions))[mixed.index].flatten(0, 1)
        with torch.autocast(maps.device.type, enabled=False):
            predictions, projections = at_least_float32(predictions), at_least_float32(projections.detach())
            cosines = F.cosine_similarity(predictions, projections, dim=1)
            return mixing.losses(self.head.loss_module(predictions, projections), cosines, shares, mixed)

    def project_student(self, views: RegionBatch, name: str) -> Tensor:
        """Computes the student's projections of a view's regions, shape (B * K, D)."""
        return self._project(self, views, name)

    @torch.no_grad()
    def project_teacher(self, views: RegionBatch, name: str) -> Tensor:
        """Computes the teacher's projections of a view's regions, shape (B * K, D)."""
        return self._project(self.teacher, views, name)

    def _project(self, network: 'D3SSL | Teacher', views: RegionBatch, name: str) -> Tensor:
        boxes_view, image = views.boxes_view(name)
        maps = network.backbone.region_maps(views.images[name])
        patches = pool_boxes(
            maps, boxes_view / self.backbone.region_stride, image, self.pooled_sizes.get(name, maps.shape[-1])
        )
        return network.neck(network.backbone.region_vectors(patches))

    @staticmethod
    def _check_pooled_sizes(pooled_sizes: dict[str, int]) -> None:
        unknown = set(pooled_sizes) - {'x1', 'x2', *STUDENT_VIEWS}
        if unknown:
            raise UserError(f'model.pooled_sizes names unknown views: {", ".join(sorted(unknown))}')
        wrong = [size for size in pooled_sizes.values() if not isinstance(size, int) or size < 1]
        if wrong:
            raise UserError(f'model.pooled_sizes must be positive integers, numbers of cells, got {wrong[0]!r}')

    def _check_views(self, views: RegionBatch) -> None:
        missing = [name for name in ('x1', 'x2', 'x1_cut', 'x2_small') if name not in views.images]
        if missing:
            raise UserError(
                f'D3SSL has no view {missing[0]}; only x3 can be left out of '
                'train_dataloader.dataset.pipeline (an x1_cut without cuts has steps=None)'
            )
        stride = self.backbone.region_stride
        for name, images in views.images.items():
            if images.shape[-1] % stride:
                raise UserError(
                    f'view {name} of {images.shape[-1]} px cannot be cut into cells of {stride} px: set '
                    'its size in train_dataloader.dataset.pipeline to a multiple of it'
                )
        if views.regions['x2'].shape[:2].numel() < 2:
            raise UserError(
                'one region in a batch cannot be normalised by its BatchNorm: raise '
                'train_dataloader.batch_size or train_dataloader.dataset.pipeline.views.num_regions'
            )
