"""D3SSL: de-coupling and de-positioning dense self-supervised learning (arXiv 2303.16947)."""
import torch
import torch.nn.functional as F

from mmssl_geo.geometry import pool_boxes
from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError

from .patch_mixing import pool_kept
from .student_teacher import StudentTeacher

STUDENT_VIEWS = ('x1_cut', 'x2_small', 'x3')
TEACHER_VIEWS = dict(clean=dict(x1='x1', x2='x2'), cut=dict(x1='x1_cut', x2='x2'))


@MODELS.register_module()
class D3SSL(StudentTeacher):
    """The student's vector of a region has to be the teacher's, whatever is around it and wherever it lies.

    The student (`backbone`, `neck`, `head.predictor`) sees `x1_cut`, `x2_small` and, if there is one, `x3`; the
    teacher the clean `x1` and `x2`. Every region is pooled from the backbone's maps (RoIAlign), made a vector by the
    rest of the backbone (res5 and the mean of a ResNet, the mean of a ViT) and projected. Every view is a forward of
    its own, with statistics of its own in each BatchNorm (SoCo's code).

    Args:
        backbone: config of `SSLResNet`, or of `SSLVisionTransformer` with `out_type='featmap'`.
        neck: config of `RegionProjector`; `in_channels` follows the backbone unless given.
        head: config of `D3SSLHead`; the predictor's width follows the projector unless given.
        data_preprocessor: config; None: `RegionViewDataPreprocessor`.
        pooled_sizes: cells of the pooled patches by view, e.g. `dict(x1=14, x2_small=7)`; views that are not named
            take the side of their map (14 for 224 px at stride 16, 7 for 112 px; SoCo's code for 224 px).
        teacher_x1: 'clean', or 'cut' to show the teacher `x1_cut` in place of `x1` (the figure can be read both ways).
        mixing: config of `PatchMixing`, which adds de-coupling by mixed patches on a vision transformer; None: none.

    Raises:
        UserError: if `teacher_x1` or a view in `pooled_sizes` is unknown, or the backbone cannot mix patches.
    """
    compares_patches = True

    def __init__(self, backbone, neck, head, data_preprocessor=None, pooled_sizes=None, teacher_x1='clean',
                 mixing=None, init_cfg=None):
        if teacher_x1 not in TEACHER_VIEWS:
            raise UserError(f'model.teacher_x1 must be "clean" or "cut", got {teacher_x1!r}')
        unknown = set(pooled_sizes or {}) - {'x1', 'x2', *STUDENT_VIEWS}
        if unknown:
            raise UserError(f'model.pooled_sizes names views that there are not: {", ".join(sorted(unknown))}')
        wrong = [size for size in (pooled_sizes or {}).values() if not isinstance(size, int) or size < 1]
        if wrong:
            raise UserError(f'model.pooled_sizes are whole numbers of cells, at least 1, got {wrong[0]!r}')
        super().__init__(
            backbone, neck, head, data_preprocessor or dict(type='mmssl_geo.RegionViewDataPreprocessor'), init_cfg,
            batch_statistics=True, mixing=mixing)
        self.teacher_views = TEACHER_VIEWS[teacher_x1]
        self.pooled_sizes = pooled_sizes or {}

    @staticmethod
    def complete_head(head, backbone_channels, neck_channels):
        return {**head, 'predictor': {'in_channels': neck_channels, **head['predictor']}}

    @torch.no_grad()
    def teacher_tokens(self, images):
        """The teacher's map cells `(N, h * w, C)` of images `(N, 3, H, W)`, by the statistics that it has stored.

        Reading them changes no statistics.
        """
        self.teacher.eval()
        maps = self.teacher.backbone.pooling_maps(images)
        self.teacher.train(self.training)
        return maps.flatten(2).transpose(1, 2)

    def loss(self, views):
        """Losses of a batch by name.

        Args:
            views: `RegionBatch`.

        Returns:
            dict: see `D3SSLHead.loss`, `RegionBatch.gauges` and, with `mixing`, `PatchMixing.losses`.

        Raises:
            UserError: if a view's size is no multiple of the maps' stride, or the batch is a single region.
        """
        self._check(views)
        projections = {name: self.project_student(views, name) for name in STUDENT_VIEWS if name in views.images}
        targets = {target: self.project_teacher(views, name) for target, name in self.teacher_views.items()}
        losses = {**self.head.loss(self.head.predict(projections), targets), **views.gauges()}
        if self.mixing is not None:
            losses.update(self.mixing_losses(views, targets))
        return losses

    def mixing_losses(self, views, targets):
        """Losses of the teacher's views with mixed patches, region by region (our choice).

        The student's vector is the mean of a region's kept tokens, the target the teacher's of the whole clean region,
        and a region counts by its share of kept tokens. The mixed views are one batch of the BatchNorms.

        Args:
            views: `RegionBatch`.
            targets: the teacher's projections by view, `(B * K, D)`.
        """
        names = self.teacher_views.values()
        clean_images = torch.cat([views.images[name] for name in names])
        mixed = self.mixing.draw(clean_images, len(names), self.patch_size, self.data_preprocessor)
        if mixed is None:
            return self.mixing.no_losses(clean_images.device)
        maps = self.backbone.forward_mixed(mixed.images, mixed.others, mixed.marks)[-1]
        boxes_view = torch.cat([views.regions[name] for name in names])[mixed.index]
        num_regions = boxes_view.shape[1]
        map_index = torch.arange(len(maps), device=maps.device).repeat_interleave(num_regions)
        vectors, shares = pool_kept(
            maps, mixed.kept, boxes_view.flatten(0, 1) / self.patch_size, map_index, maps.shape[-1])
        predictions = self.head.predict({'mixed': self.neck(vectors)})['mixed']
        projections = torch.cat(list(targets.values())).unflatten(0, (-1, num_regions))[mixed.index].flatten(0, 1)
        with torch.autocast(maps.device.type, enabled=False):
            predictions, projections = predictions.to(shares.dtype), projections.detach().to(shares.dtype)
            cosines = F.cosine_similarity(predictions, projections, dim=1)
            return self.mixing.losses(self.head.loss_module(predictions, projections), cosines, shares, mixed)

    def project_student(self, views, name):
        """The student's projections of a view's regions, `(B * K, D)`."""
        return self._project(self, views, name)

    @torch.no_grad()
    def project_teacher(self, views, name):
        """The teacher's projections of a view's regions, `(B * K, D)`."""
        return self._project(self.teacher, views, name)

    def _project(self, network, views, name):
        boxes_view, image = views.boxes_view(name)
        maps = network.backbone.pooling_maps(views.images[name])
        patches = pool_boxes(
            maps, boxes_view / self.patch_size, image, self.pooled_sizes.get(name, maps.shape[-1]))
        return network.neck(network.backbone.region_vectors(patches))

    def _check(self, views):
        missing = [name for name in ('x1', 'x2', 'x1_cut', 'x2_small') if name not in views.images]
        if missing:
            raise UserError(f'D3SSL has no view {missing[0]}; only x3 can be left out of '
                            'train_dataloader.dataset.pipeline (an x1_cut without cuts has steps=None)')
        for name, images in views.images.items():
            if images.shape[-1] % self.patch_size:
                raise UserError(f'view {name} of {images.shape[-1]} px is not cut into cells of {self.patch_size} px: '
                                'set its size in train_dataloader.dataset.pipeline to a multiple of it')
        if views.regions['x2'].shape[:2].numel() < 2:
            raise UserError('one region in a batch cannot be normalised by its BatchNorm: raise '
                            'train_dataloader.batch_size or train_dataloader.dataset.pipeline.views.num_regions')
