"""Every detection config is built at its shipped size, with data in the true layout; slow tests go the whole way."""

import mmdet.registry
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from torch import nn

from mmssl_geo.apis.train import build_runner
from mmssl_geo.checkpoints import convert
from mmssl_geo.datatools.scenes import SceneOptions, write_scenes
from mmssl_geo.models import SSLResNet, SSLVisionTransformer

from .conftest import CONFIGS

NAMES = sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.glob('mmdet/*.py'))
PROTOCOLS = {
    f'mmdet/{name}.py'
    for name in (
        'cascade-mask-rcnn_vits16_d3ssl_fpn_1x_coco',
        'faster-rcnn_r50_d3ssl_c4_24k_voc0712',
        'mask-rcnn_r50_d3ssl_c4_1x_coco',
        'mask-rcnn_r50_d3ssl_c4_2x_coco',
        'mask-rcnn_r50_d3ssl_fpn_1x_coco',
        'mask-rcnn_r50_d3ssl_fpn_2x_coco',
        'mask-rcnn_vits16_gtsa_fpn_1x_coco',
    )
}
# one step and one evaluation within seconds on a CPU; nets and all else are as shipped
SHORT = {
    'model.train_cfg.rpn_proposal.max_per_img': 50,
    'model.test_cfg.rpn.max_per_img': 20,
    'model.test_cfg.rcnn.score_thr': 0.0,
    'model.test_cfg.rcnn.max_per_img': 10,
    'train_dataloader.batch_size': 2,
    **{
        f'{split}_dataloader.{key}': value
        for split in ('train', 'val', 'test')
        for key, value in dict(num_workers=0, persistent_workers=False).items()
    },
}
SIDES = (64, 96)


@pytest.fixture(scope='session')
def root_of(coco_root, voc_root, tmp_path_factory):
    """Folder of the data that a config is for."""
    scenes = tmp_path_factory.mktemp('data') / 'scenes'
    write_scenes(scenes, SceneOptions(), num_train=2, num_val=2)
    return lambda name: str(scenes if 'scenes' in name else voc_root if 'voc' in name else coco_root)


def test_all_protocols_are_here():
    assert PROTOCOLS < set(NAMES)


@pytest.mark.parametrize('name', NAMES)
def test_config_builds(load_config, root_of, monkeypatch, name):
    monkeypatch.setenv('DATA_ROOT', root_of(name))
    monkeypatch.setenv('CHECKPOINT', '/my weights/a.pth')
    cfg = load_config(name)
    parts = [cfg.model.backbone, cfg.model.roi_head.get('shared_head')]
    assert {part.init_cfg.checkpoint for part in parts if part} == {'/my weights/a.pth'}
    model = mmdet.registry.MODELS.build(cfg.model)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    trained = {p for group in groups for p in group['params']}
    assert trained == set(model.parameters()) and all(p.requires_grad for p in trained), 'nothing is frozen'
    head = model.roi_head.bbox_head
    heads = head if isinstance(head, nn.ModuleList) else [head]
    for split in ('train', 'val', 'test'):
        data = mmdet.registry.DATASETS.build(cfg[f'{split}_dataloader'].dataset)
        assert {len(data.metainfo['classes'])} == {head.num_classes for head in heads}
        objects = data[0]['data_samples'].gt_instances
        assert len(objects) >= 2 and ('masks' in objects) == model.roi_head.with_mask
    assert mmdet.registry.METRICS.build(cfg.val_evaluator).prefix == ('pascal_voc' if 'voc' in name else 'coco')


def test_tiny_coco_is_read_as_drawn(load_config, coco_root, monkeypatch):
    monkeypatch.setenv('DATA_ROOT', str(coco_root))
    cfg = load_config('mmdet/mask-rcnn_r50_d3ssl_fpn_1x_coco.py', **{'val_dataloader.dataset.test_mode': False})
    sample = mmdet.registry.DATASETS.build(cfg.val_dataloader.dataset)[1]['data_samples']
    assert sample.gt_instances.labels.tolist() == [0, 79] and sample.ignored_instances.labels.tolist() == [1]
    assert sample.gt_instances.bboxes.tensor.tolist() == [[8, 8, 48, 48], [48, 10, 88, 56]]
    assert sample.ignored_instances.bboxes.tensor.tolist() == [[0, 60, 96, 64]]
    crowd = sample.ignored_instances.masks.masks[0]
    assert crowd.sum() == 4 * 96 and crowd[60:].all()


def test_tiny_voc_is_read_as_drawn(load_config, voc_root, monkeypatch):
    monkeypatch.setenv('DATA_ROOT', str(voc_root))
    cfg = load_config('mmdet/faster-rcnn_r50_d3ssl_c4_24k_voc0712.py')
    train = mmdet.registry.DATASETS.build(cfg.train_dataloader.dataset)
    assert [train.get_data_info(i)['img_path'] for i in range(len(train))] == [
        f'{voc_root}/VOC{year}/JPEGImages/{year}_{split}_{i:06}.jpg'
        for year in ('2007', '2012')
        for split in ('train', 'val')
        for i in range(2)
    ]
    test = mmdet.registry.DATASETS.build(cfg.test_dataloader.dataset)
    assert [test.get_data_info(i)['img_id'] for i in range(len(test))] == ['2007_test_000000', '2007_test_000001']
    sample = test[0]['data_samples']
    # mmdet takes 1 off both corners, so that the far ones lie inside
    assert sample.gt_instances.bboxes.tensor.tolist() == [[8, 8, 47, 47], [48, 10, 87, 55]]
    assert sample.gt_instances.labels.tolist() == [0, 19]
    assert sample.ignored_instances.bboxes.tensor.tolist() == [[0, 0, 95, 63]]


def write_checkpoint(cfg, path):
    """A whole net as pretraining leaves it, exported for mmdet; returns the weights written."""
    torch.manual_seed(1)
    backbone = cfg.model.backbone
    if backbone.type.endswith('ResNet'):
        net = SSLResNet(backbone.depth)
    else:
        side = backbone.img_size if isinstance(backbone.img_size, int) else 224
        net = SSLVisionTransformer(arch=backbone.arch, patch_size=backbone.patch_size, img_size=side)
    net.init_weights()
    torch.save(dict(state_dict=net.state_dict()), path.with_suffix('.pretrained.pth'))
    convert(path.with_suffix('.pretrained.pth'), path, 'mmdet', weights='student')
    return torch.load(path)['state_dict']


def shrink_images(pipeline):
    """Lets every resizing of a pipeline end at the tests' size."""
    for step in pipeline:
        if 'scales' in step:
            step.scales = [SIDES]
        if step.type == 'Resize':
            step.scale = SIDES
        for branch in step.get('transforms', []):
            shrink_images(branch)


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_step_and_evaluation_from_a_converted_checkpoint(load_config, root_of, tmp_path, monkeypatch, name):
    monkeypatch.setattr(Runner, '_log_env', lambda *_: None)  # it starts compilers to ask their versions
    monkeypatch.setenv('DATA_ROOT', root_of(name))
    monkeypatch.setenv('CHECKPOINT', str(tmp_path / 'mmdet.pth'))
    cfg = load_config(name, **SHORT)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        for data in loader.dataset.get('datasets', [loader.dataset]):
            shrink_images(data.pipeline)
    cfg.train_cfg.update({'max_iters': 1} if 'max_iters' in cfg.train_cfg else {'max_epochs': 1}, val_interval=1)
    cfg.update(work_dir=str(tmp_path / 'work'), experiment_name=tmp_path.name, launcher='none')
    weights = write_checkpoint(cfg, tmp_path / 'mmdet.pth')
    runner = build_runner(cfg)
    runner.model.init_weights()
    loaded = {
        **runner.model.backbone.state_dict(),
        **(runner.model.roi_head.shared_head.state_dict() if runner.model.with_shared_head else {}),
    }
    resized = {'pos_embed'} if 'cascade' in name else set()
    assert all(torch.equal(loaded[key], value) for key, value in weights.items() if key not in resized)
    before = {key: value.clone() for key, value in runner.model.backbone.named_parameters()}
    runner.train()
    assert runner.iter == 1
    assert any(not torch.equal(value, before[key]) for key, value in runner.model.backbone.named_parameters())
    kinds = ('bbox', 'segm') if runner.model.with_mask else ('bbox',)
    metrics = (
        ['pascal_voc/mAP', 'pascal_voc/AP50', 'pascal_voc/AP75']
        if 'voc' in name
        else [f'coco/{kind}_{metric}' for kind in kinds for metric in ('mAP', 'mAP_50', 'mAP_75')]
    )
    scalars = runner.message_hub.log_scalars
    assert all(0 <= scalars[f'val/{metric}'].current() <= 1 for metric in metrics)
