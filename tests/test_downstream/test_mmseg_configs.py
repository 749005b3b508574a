"""Every segmentation config is built at its shipped size, with data in the true layout; slow tests go the whole way."""

import mmseg.registry
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner

from mmssl_geo.apis.train import build_runner
from mmssl_geo.datatools.scenes import SceneOptions, write_scenes
from tests.support.exports import check_backbone_is_loaded, target_of, write_export

from .conftest import CONFIGS

NAMES = sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.glob('mmseg/*.py'))
PROTOCOLS = {
    f'mmseg/{name}.py'
    for name in (
        'fcn_r50_d3ssl_30k_voc12aug-513x513',
        'fcn_r50_d3ssl_90k_cityscapes-769x769',
        'linear_vits16_frozen_40k_ade20k-512x512',
        'linear_vits16_frozen_40k_voc12aug-512x512',
        'semfpn_vits16_gtsa_40k_ade20k-512x512',
        'semfpn_vits16_gtsa_40k_cityscapes-768x768',
        'upernet_vits16_d3ssl_160k_ade20k-512x512',
    )
}
SIDE = 64
IGNORED = 255


@pytest.fixture(scope='session')
def root_of(ade20k_root, cityscapes_root, voc_root, camvid_root, tmp_path_factory):
    """Folder of the data that a config is for."""
    scenes = tmp_path_factory.mktemp('data') / 'scenes'
    write_scenes(scenes, SceneOptions(), num_train=2, num_val=2)
    roots = dict(ade20k=ade20k_root, cityscapes=cityscapes_root, voc12aug=voc_root, camvid=camvid_root, scenes=scenes)
    return lambda name: str(next(root for key, root in roots.items() if key in name))


def test_all_protocols_are_here():
    assert PROTOCOLS < set(NAMES)


@pytest.mark.parametrize('name', NAMES)
def test_config_builds(load_config, root_of, monkeypatch, name):
    monkeypatch.setenv('DATA_ROOT', root_of(name))
    cfg = load_config(name)
    model = mmseg.registry.MODELS.build(cfg.model)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    trained = {p for group in groups for p in group['params']}
    if '_frozen_' in name:
        trained = {p for p in trained if p.requires_grad}
        assert trained == set(model.decode_head.parameters())
    else:
        assert trained == set(model.parameters()) and all(p.requires_grad for p in trained), 'nothing is frozen'
    classes = model.decode_head.num_classes
    for split in ('train', 'val', 'test'):
        data = mmseg.registry.DATASETS.build(cfg[f'{split}_dataloader'].dataset)
        assert len(data.metainfo['classes']) == classes
        labels = set(data[0]['data_samples'].gt_sem_seg.data.unique().tolist())
        assert labels & set(range(classes)) and labels <= {*range(classes), IGNORED}
    assert mmseg.registry.METRICS.build(cfg.val_evaluator).metrics == ['mIoU']
    assert cfg.default_hooks.checkpoint.interval == cfg.train_cfg.val_interval


@pytest.mark.parametrize('name', NAMES)
def test_header_names_the_export_that_fits(load_config, name):
    cfg = load_config(name)
    header = (CONFIGS / name).read_text().split('_base_ =')[0]
    if 'CHECKPOINT=' in header and '_vit' in name:
        assert f'_{target_of(cfg)}.pth in the environment' in header


@pytest.mark.parametrize(
    'name, first, box_labels',
    [
        ('linear_vits16_frozen_40k_ade20k-512x512', 'ADE_val_00000001', (0, 149, IGNORED)),
        ('fcn_r50_d3ssl_30k_voc12aug-513x513', '2012_val_000000', (1, 20, 0)),
        ('fcn_r50_d3ssl_90k_cityscapes-769x769', 'lindau_000000_000019_leftImg8bit', (18, IGNORED, 0)),
    ],
)
def test_tiny_labels_are_read_as_drawn(load_config, root_of, monkeypatch, name, first, box_labels):
    monkeypatch.setenv('DATA_ROOT', root_of(name))
    cfg = load_config(f'mmseg/{name}.py')
    data = mmseg.registry.DATASETS.build(cfg.val_dataloader.dataset)
    assert len(data) == 2
    sample = data[0]['data_samples']
    assert sample.img_path.split('/')[-1].split('.')[0] == first
    labels = sample.gt_sem_seg.data[0]
    height, width = labels.shape
    assert sample.ori_shape == labels.shape
    centres = ((height // 2, width // 4), (height // 2, 3 * width // 4), (1, 1))
    assert tuple(labels[centre].item() for centre in centres) == box_labels


def test_voc_trains_on_train_and_aug(load_config, voc_root, monkeypatch):
    monkeypatch.setenv('DATA_ROOT', str(voc_root))
    for name in ('fcn_r50_d3ssl_30k_voc12aug-513x513', 'linear_vits16_frozen_40k_voc12aug-512x512'):
        cfg = load_config(f'mmseg/{name}.py')
        data = mmseg.registry.DATASETS.build(cfg.train_dataloader.dataset)
        assert [data.get_data_info(i)['seg_map_path'] for i in range(len(data))] == [
            f'{voc_root}/VOC2012/{folder}/2012_train_{i:06}.png'
            for folder in ('SegmentationClass', 'SegmentationClassAug')
            for i in range(2)
        ]


def shrink(cfg):
    """Images and windows of the tests' size; nets, heads and all else stay as shipped."""
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        for data in loader.dataset.get('datasets', [loader.dataset]):
            for step in data.pipeline:
                if 'scale' in step:
                    step.scale = (2 * SIDE, SIDE)
                if 'crop_size' in step:
                    step.crop_size = (SIDE, SIDE)
    cfg.train_dataloader.batch_size = 2
    cfg.model.data_preprocessor.size = (SIDE, SIDE)
    if cfg.model.test_cfg.mode == 'slide':
        cfg.model.test_cfg.update(crop_size=(SIDE, SIDE), stride=(SIDE * 2 // 3, SIDE * 2 // 3))
    cfg.train_cfg.update(max_iters=1, val_interval=1)
    cfg.default_hooks.checkpoint.update(interval=1)


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_step_and_evaluation_from_a_converted_checkpoint(load_config, root_of, tmp_path, monkeypatch, name):
    monkeypatch.setattr(Runner, '_log_env', lambda *_: None)  # it starts compilers to ask their versions
    monkeypatch.setenv('DATA_ROOT', root_of(name))
    monkeypatch.setenv('CHECKPOINT', str(tmp_path / 'export.pth'))
    cfg = load_config(name)
    if 'scenes' in name:
        cfg.model.backbone.arch.pop('_delete_', None)
    shrink(cfg)
    cfg.update(work_dir=str(tmp_path / 'work'), experiment_name=tmp_path.name, launcher='none')
    weights = write_export(cfg, tmp_path / 'export.pth')
    runner = build_runner(cfg)
    runner.model.init_weights()
    check_backbone_is_loaded(runner.model.backbone, weights)
    before = {key: value.clone() for key, value in runner.model.named_parameters()}
    runner.train()
    assert runner.iter == 1
    changed = {
        key.split('.')[0] for key, value in runner.model.named_parameters() if not torch.equal(value, before[key])
    }
    assert 'decode_head' in changed and ('backbone' in changed) == ('_frozen_' not in name)
    scalars = runner.message_hub.log_scalars
    assert all(0 <= scalars[f'val/{metric}'].current() <= 100 for metric in ('mIoU', 'aAcc', 'mAcc'))
