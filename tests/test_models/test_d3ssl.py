import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmssl_geo.geometry import pool_boxes
from mmssl_geo.registry import MODELS
from mmssl_geo.structures import RegionBatch
from mmssl_geo.utils.errors import UserError
from tests.support.regions import TINY_RESNET, TINY_VIT, build_d3ssl, d3ssl_config, random_regions

BASE_VIEWS = ('x1', 'x2', 'x1_cut', 'x2_small')


@pytest.fixture(params=[TINY_RESNET, TINY_VIT], ids=['resnet', 'vit'])
def model(request, default_scope):
    return build_d3ssl(request.param)


@pytest.fixture
def resnet(default_scope):
    return build_d3ssl()


def total(losses):
    return sum(value for name, value in losses.items() if 'loss' in name)


# ---- the algorithm


def test_losses_of_a_batch(model):
    losses = model(random_regions(), mode='loss')
    assert set(losses) == {'loss_dc', 'loss_dp', 'cosine_dc', 'cosine_dp', 'mixed_share', 'fallback_share'}
    assert losses['loss_dc'].item() == pytest.approx(-4 * losses['cosine_dc'].item())
    assert losses['fallback_share'] == 0.25 and losses['mixed_share'] == 1


def test_without_x3_there_is_no_de_positioning(model):
    losses = model(random_regions(names=BASE_VIEWS), mode='loss')
    assert set(losses) == {'loss_dc', 'cosine_dc', 'fallback_share'}


def test_the_gradient_reaches_the_whole_student_and_never_the_teacher(model):
    total(model(random_regions(), mode='loss')).backward()
    for name, param in model.named_parameters():
        if name.startswith('teacher.'):
            assert not param.requires_grad and param.grad is None, name
        else:
            assert param.grad is not None and param.grad.abs().sum() > 0, name


@pytest.mark.parametrize('names', [BASE_VIEWS, (*BASE_VIEWS, 'x3')])
def test_every_parameter_is_used_in_every_variant(names, default_scope):
    """DDP waits for the gradients of all parameters."""
    model = MODELS.build(d3ssl_config())
    model.init_weights()
    total(model.train()(random_regions(names=names), mode='loss')).backward()
    assert all(param.grad is not None for param in model.parameters() if param.requires_grad)


def test_a_batch_of_one_image(model):
    views = random_regions(batch_size=1)
    assert torch.isfinite(total(model(views, mode='loss')))


def test_region_vectors_match_a_direct_computation(resnet):
    """C4, RoIAlign at 1/16 to the side of the map, res5, mean, projector."""
    resnet.eval()
    views = random_regions()
    for name, cells in (('x1_cut', 4), ('x2_small', 2)):
        maps = resnet.backbone.region_maps(views.images[name])
        assert maps.shape == (2, 32, cells, cells)
        rows = []
        for image in range(2):
            for box in views.regions[name][image]:
                patch = pool_boxes(maps[image : image + 1], box[None] / 16, torch.tensor([0]), cells)
                rows.append(resnet.neck(resnet.backbone.layer4(patch).mean(dim=(2, 3))))
        torch.testing.assert_close(resnet.project_student(views, name), torch.cat(rows), rtol=1e-4, atol=1e-5)


def test_a_vit_averages_the_patch_of_a_region(default_scope):
    backbone = MODELS.build(TINY_VIT)
    patches = torch.randn(3, 24, 4, 4)
    torch.testing.assert_close(backbone.region_vectors(patches), patches.flatten(2).sum(dim=2) / 16)


def test_pooled_sizes_can_be_set_by_view(default_scope, monkeypatch):
    from mmssl_geo.models.selfsup import d3ssl

    model, seen = build_d3ssl(pooled_sizes=dict(x2_small=3)), []

    def spy(maps, boxes, index, size):
        seen.append(size)
        return pool_boxes(maps, boxes, index, size)

    monkeypatch.setattr(d3ssl, 'pool_boxes', spy)
    model(random_regions(), mode='loss')
    assert seen == [4, 3, 4, 4, 4]  # x1_cut, x2_small, x3; x1, x2


@pytest.mark.parametrize('choice, expected', [('clean', {'x1', 'x2'}), ('cut', {'x1_cut', 'x2'})])
def test_views_of_the_teacher(choice, expected, default_scope):
    model, seen = build_d3ssl(teacher_x1=choice), []
    real = model.project_teacher
    model.project_teacher = lambda views, name: (seen.append(name), real(views, name))[1]
    model(random_regions(), mode='loss')
    assert set(seen) == expected
    views = random_regions()
    model.eval()
    before = model(views, mode='loss')['loss_dc']
    views.images['x1'].zero_()
    assert (model(views, mode='loss')['loss_dc'] == before) == (choice == 'cut')


def test_invalid_settings_are_named(default_scope):
    with pytest.raises(UserError, match='teacher_x1 must be "clean" or "cut", got \'dirty\''):
        build_d3ssl(teacher_x1='dirty')
    with pytest.raises(UserError, match='pooled_sizes names unknown views: x9'):
        build_d3ssl(pooled_sizes=dict(x9=3))
    with pytest.raises(UserError, match='pooled_sizes must be positive integers, numbers of cells, got 0'):
        build_d3ssl(pooled_sizes=dict(x1=0))


def test_view_sizes_must_be_multiples_of_the_stride(model):
    views = random_regions()
    views.images['x2_small'] = torch.zeros(2, 3, 40, 40)
    with pytest.raises(UserError, match='view x2_small of 40 px cannot be cut into cells of 16 px: set its size'):
        model(views, mode='loss')


@pytest.mark.parametrize('name', ['x1', 'x2_small'])
def test_only_x3_can_be_left_out(model, name):
    views = random_regions()
    del views.images[name]
    with pytest.raises(UserError, match=f'has no view {name}; only x3 can be left out'):
        model(views, mode='loss')


def test_a_single_region_is_refused(model):
    with pytest.raises(UserError, match='one region in a batch cannot be normalised.*raise .*batch_size'):
        model(random_regions(batch_size=1, num_regions=1), mode='loss')


def test_under_autocast(model):
    views = random_regions()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model(views, mode='loss')
    assert losses['loss_dc'].dtype == losses['loss_dp'].dtype == torch.float32
    total(losses).backward()
    assert all(torch.isfinite(param.grad).all() for param in model.parameters() if param.requires_grad)


# ---- regions show the same content


class AverageMap(nn.Module):
    """A backbone whose map is the image averaged over cells of 4 px; a region's vector is its flattened patch."""

    region_stride = 4

    def region_maps(self, images):
        return F.avg_pool2d(images, self.region_stride)

    def region_vectors(self, patches):
        return patches.flatten(1)


def test_boxes_select_the_same_content_in_every_view(resnet):
    """x3 is x2 shifted by (8, -4) px, x2_small is x2 at half its size: pooled regions are equal."""
    resnet.backbone, resnet.neck = AverageMap(), nn.Identity()
    y, x = torch.meshgrid(torch.arange(64.0) + 0.5, torch.arange(64.0) + 0.5, indexing='ij')
    image = torch.stack([x, y, x + 2 * y]).expand(2, 3, 64, 64)
    boxes = torch.tensor([[12.0, 20.0, 36.0, 44.0], [16.0, 16.0, 48.0, 30.0], [22.0, 13.0, 41.0, 57.0]]).expand(2, 3, 4)
    images = dict(x2=image, x3=image.roll((-4, 8), dims=(2, 3)), x2_small=F.avg_pool2d(image, 2))
    regions = dict(x2=boxes, x3=boxes + torch.tensor([8.0, -4.0, 8.0, -4.0]), x2_small=boxes / 2)
    resnet.pooled_sizes = dict.fromkeys(images, 8)
    views = RegionBatch(images, regions, False, torch.tensor(0.0), {})
    vectors = {name: resnet.project_student(views, name) for name in images}
    torch.testing.assert_close(vectors['x3'], vectors['x2'])
    torch.testing.assert_close(vectors['x2_small'], vectors['x2'])
    centres = vectors['x2'].unflatten(1, (3, 8, 8)).mean(dim=(2, 3))[:3, :2]
    torch.testing.assert_close(centres, (boxes[0, :, :2] + boxes[0, :, 2:]) / 2, rtol=0, atol=0.01)
