import json

import pytest
import torch

from mmssl_geo.evaluation.frozen_net import check_view_size, frozen_copy, run_frozen
from mmssl_geo.evaluation.probes import KnnProbe, LinearClassificationProbe, ObjectKnnProbe, evaluate_backbone
from mmssl_geo.evaluation.random_weights import randomly_initialised
from mmssl_geo.models import SSLResNet, SSLVisionTransformer
from mmssl_geo.utils.errors import UserError
from tests.support.labelled_images import MeanColour, write_classes, write_objects
from tests.support.regions import TINY_VIT

IMAGE_PROBES = [KnnProbe, LinearClassificationProbe]


def tiny_vit():
    vit = SSLVisionTransformer(**{key: value for key, value in TINY_VIT.items() if key != 'type'})
    vit.init_weights()
    return vit


def image_probe(kind, tmp_path, shuffled=False, num=6, **options):
    folders = [write_classes(tmp_path / part, num, shuffled, seed) for part, seed in (('train', 0), ('val', 1))]
    return kind(*folders, size=32, **options)


@pytest.mark.parametrize('kind', IMAGE_PROBES)
@pytest.mark.parametrize('workers', [0, 2])
def test_features_that_hold_the_class_are_always_right(kind, workers, tmp_path):
    (result,) = image_probe(kind, tmp_path, num_workers=workers).evaluate(MeanColour(), [0])
    assert result == {key: (1.0, pytest.approx(1 / 3)) for key in result}
    assert list(result) == (['top1_k10', 'top1_k20'] if kind is KnnProbe else ['top1'])


@pytest.mark.parametrize('kind', IMAGE_PROBES)
def test_features_without_the_class_are_right_by_chance(kind, tmp_path):
    (result,) = image_probe(kind, tmp_path, shuffled=True, num=40).evaluate(MeanColour(), [0])
    assert all(value == pytest.approx(1 / 3, abs=0.13) for value, _ in result.values())


def test_objects_that_show_their_class_are_always_right(tmp_path):
    probe = ObjectKnnProbe(
        write_objects(tmp_path / 'train'),
        write_objects(tmp_path / 'val', 4, seed=1),
        size=96,
        min_side=16,
        ks=(5,),
        batch_size=3,
    )
    (result,) = probe.evaluate(MeanColour(), [0])
    assert result == dict(object_top1_k5=(1.0, pytest.approx(1 / 3)), objects_evaluated=(1.0, 1.0))


def test_object_features_belong_to_their_own_image_and_draw(tmp_path):
    train, val = write_objects(tmp_path / 'train'), write_objects(tmp_path / 'val', 3, seed=1)
    probe = ObjectKnnProbe(train, val, size=96, min_side=16, num_train=2)
    features, labels, image = probe.objects(MeanColour(), probe.train, torch.tensor([1, 4]), lambda number: None)
    assert image.tolist() == [1] * 3 + [4] * 3
    assert torch.equal(labels, torch.cat([probe.train[1][2], probe.train[4][2]]))
    assert torch.equal(features.argmax(dim=1), (labels - 5) // 2)
    content = json.loads(val[1].read_text())
    for annotation in content['annotations'][:3]:
        annotation['category_id'] = 77  # of which there is none to vote
    val[1].write_text(json.dumps(content))
    (result,) = ObjectKnnProbe(train, val, size=96, min_side=16, num_train=2).evaluate(MeanColour(), [3])
    assert result['objects_evaluated'] == (pytest.approx(6 / 9), 1.0)


def test_objects_shuffled_among_classes_are_right_by_chance(tmp_path):
    sources = [write_objects(tmp_path / part, 40, seed) for part, seed in (('train', 0), ('val', 1))]
    for _, annotations in sources:
        content = json.loads(annotations.read_text())
        for annotation, label in zip(content['annotations'], torch.randint(3, (120,)).tolist(), strict=True):
            annotation['category_id'] = label
        annotations.write_text(json.dumps(content))
    (result,) = ObjectKnnProbe(*sources, size=96, min_side=16).evaluate(MeanColour(), [0])
    assert result['object_top1_k20'][0] == pytest.approx(1 / 3, abs=0.13)


def test_seeds_draw_their_own_images_and_repeat(tmp_path):
    probe = image_probe(KnnProbe, tmp_path, shuffled=True, num=20, num_train=25)
    seen = []
    results = probe.evaluate(MeanColour(), range(4), seen.append)
    assert sum(seen) == probe.num_views(range(4)) == len(probe.used_train_images(range(4))) + 60 < 4 * 25 + 60
    assert len({result['top1_k10'][0] for result in results}) > 1
    assert probe.evaluate(MeanColour(), range(4)) == results and probe.evaluate(MeanColour(), [2]) == results[2:3]


def test_preloaded_images_give_the_same_and_are_not_read_again(tmp_path):
    probe = image_probe(LinearClassificationProbe, tmp_path, shuffled=True, num_train=9)
    before = probe.evaluate(MeanColour(), [3])
    probe.preload([3])
    for path in [*tmp_path.rglob('*.png')]:
        path.unlink()
    assert probe.evaluate(MeanColour(), [3]) == before and len(probe.train) == 9


def test_the_mean_over_seeds_and_fresh_random_weights_for_each(tmp_path):
    probe = image_probe(KnnProbe, tmp_path, shuffled=True, num=12, num_train=12)
    vit = tiny_vit()
    before = {key: value.clone() for key, value in vit.state_dict().items()}
    measured = evaluate_backbone(probe, vit, range(3), 'cpu')['top1_k10']
    values = [probe.evaluate(frozen_copy(vit), [seed])[0]['top1_k10'][0] for seed in range(3)]
    assert measured.mean == pytest.approx(sum(values) / 3) and measured.std == pytest.approx(
        torch.tensor(values, dtype=torch.float64).std().item()
    )
    assert evaluate_backbone(probe, vit, [0], 'cpu')['top1_k10'].std is None
    nets = [frozen_copy(randomly_initialised(vit, seed)) for seed in range(3)]
    values = [probe.evaluate(net, [seed])[0]['top1_k10'][0] for seed, net in enumerate(nets)]
    measured = evaluate_backbone(probe, vit, range(3), 'cpu', random_weights=True)['top1_k10']
    assert measured.mean == pytest.approx(sum(values) / 3)
    assert all(torch.equal(value, before[key]) for key, value in vit.state_dict().items())


def test_a_frozen_copy_leaves_the_backbone_alone_and_gives_map_or_cls():
    vit = tiny_vit()
    vit.out_type = 'raw'  # as DINO's
    vit.train()
    views = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    copies = {output: frozen_copy(vit, output) for output in ('map', 'cls')}
    outputs = {output: run_frozen(net, views) for output, net in copies.items()}
    assert vit.training and vit.out_type == 'raw' and all(own.requires_grad for own in vit.parameters())
    assert not copies['map'].training and not any(own.requires_grad for own in copies['map'].parameters())
    mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    vit.eval()
    tokens = vit((views - mean.view(3, 1, 1)) / std.view(3, 1, 1))[-1]
    torch.testing.assert_close(outputs['cls'], tokens[:, 0])
    torch.testing.assert_close(outputs['map'].flatten(2).transpose(1, 2), tokens[:, 1:])


def test_cls_is_for_vision_transformers(tmp_path):
    probe = image_probe(KnnProbe, tmp_path, pool='cls')
    net = frozen_copy(tiny_vit(), probe.output)
    vectors, labels = probe.vectors(net, probe.val, torch.tensor([0, 7]), lambda number: None)
    torch.testing.assert_close(vectors, run_frozen(net, torch.stack([probe.val[0][0], probe.val[7][0]])))
    assert labels.tolist() == [0, 1]
    with pytest.raises(UserError, match=r'SSLResNet has no \[CLS\] token'):
        frozen_copy(SSLResNet(18, stem_channels=8, base_channels=8), 'cls')


def test_sizes_must_be_multiples_of_the_stride():
    resnet = SSLResNet(18, stem_channels=8, base_channels=8)
    for net, size, stride in ((tiny_vit(), 72, 16), (resnet, 48, 32)):
        check_view_size(2 * stride, net.feature_stride)
        with pytest.raises(UserError, match=f'views of {size} px do not divide into cells of {stride} px'):
            check_view_size(size, net.feature_stride)
    assert run_frozen(frozen_copy(resnet), torch.zeros(1, 3, 96, 64, dtype=torch.uint8)).shape[2:] == (3, 2)


def test_wrong_input_is_refused(tmp_path):
    train, val = (write_classes(tmp_path / part, 2) for part in ('train', 'val'))
    with pytest.raises(UserError, match='the validation images are the images the probe is trained on'):
        KnnProbe(train, tmp_path / 'val' / '..' / 'train')
    with pytest.raises(UserError, match='pool must be mean or cls, got max'):
        KnnProbe(train, val, pool='max')
    with pytest.raises(UserError, match='1 training image: a probe needs at least 2'):
        KnnProbe(train, val, num_train=1)
    objects = write_objects(tmp_path / 'objects')
    with pytest.raises(UserError, match='the validation images are the images the probe is trained on'):
        ObjectKnnProbe(objects, objects)
    net = MeanColour()
    net.scale.data.fill_(float('nan'))
    with pytest.raises(UserError, match='features contain NaN or infinite values'):
        KnnProbe(train, val, size=32).evaluate(net, [0])
