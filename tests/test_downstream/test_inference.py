"""OpenMMLab's inference functions and test-time augmentation work with every downstream config; large nets are slow."""

import importlib
from copy import deepcopy

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel

from mmssl_geo.apis.test_time_augmentation import enable_tta
from mmssl_geo.datatools.scenes import SceneOptions, write_scenes
from mmssl_geo.utils.errors import UserError

from .conftest import CONFIGS

SIZE = (61, 83)  # no multiple of a patch
NAMES = sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.glob('*/*.py'))
FAST = [name for name in NAMES if 'quickstart' in name or 'camvid' in name or 'imagenet' in name]
PARAMS = [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in NAMES]
WRAPPERS = dict(mmseg='SegTTAModel', mmdet='mmssl_geo.InstanceTTAModel', mmpretrain='AverageClsScoreTTA')


@pytest.fixture(scope='session')
def root_of(ade20k_root, camvid_root, cityscapes_root, coco_root, inat_root, voc_root, tmp_path_factory):
    scenes = tmp_path_factory.mktemp('data') / 'scenes'
    write_scenes(scenes, SceneOptions(), num_train=2, num_val=2)
    roots = dict(
        ade20k=ade20k_root,
        camvid=camvid_root,
        cityscapes=cityscapes_root,
        coco=coco_root,
        inat=inat_root,
        voc=voc_root,
        scenes=scenes,
    )
    return lambda name: str(next(root for key, root in roots.items() if key in name))


def shrunk(cfg):
    """Lets images of the detectors be resized to less, and few proposals pass, so that a CPU takes seconds."""
    for steps in (cfg.test_pipeline, cfg.test_dataloader.dataset.pipeline, cfg.tta_pipeline[-1].transforms[0]):
        for step in steps:
            if step.type == 'Resize' and 'scale' in step:
                step.scale = tuple(side // 4 for side in step.scale)
    if cfg.default_scope == 'mmdet':
        cfg.model.test_cfg.rpn.update(max_per_img=20)
    return cfg


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 255, (*SIZE, 3), dtype=np.uint8)


@pytest.mark.parametrize('name', NAMES)
def test_config_has_what_the_tools_read(load_config, name):
    cfg = load_config(name)
    steps = cfg.test_dataloader.dataset.pipeline
    assert [step.type for step in cfg.test_pipeline] == [step.type for step in steps]
    assert cfg.tta_model.type == WRAPPERS[cfg.default_scope]
    augmented = [step for step in cfg.tta_pipeline[-1].transforms for step in step]
    assert cfg.tta_pipeline[-1].type == 'TestTimeAug'
    assert {step.type for step in [*cfg.tta_pipeline[:-1], *augmented]} >= {step.type for step in steps}
    sizes = [step.scale for step in steps if step.type == 'Resize']
    assert all(size in [step.get('scale') for step in augmented] for size in sizes)


@pytest.mark.parametrize('name', PARAMS)
def test_inference_functions(load_config, name, image):
    config = shrunk(load_config(name))  # `load_config` restores the default scope, which these functions change
    if name.startswith('mmseg'):
        from mmseg.apis import MMSegInferencer, inference_model, init_model

        result = inference_model(init_model(deepcopy(config), device='cpu'), image)
        assert result.pred_sem_seg.shape == SIZE
        assert MMSegInferencer(config, device='cpu')(image)['predictions'].shape == SIZE
    elif name.startswith('mmdet'):
        from mmdet.apis import DetInferencer, inference_detector, init_detector

        instances = inference_detector(init_detector(deepcopy(config), device='cpu'), image).pred_instances
        assert ('masks' in instances) == ('mask-rcnn' in name)
        assert 'masks' not in instances or instances.masks.shape[1:] == SIZE
        assert len(DetInferencer(config, device='cpu')(image, no_save_vis=True)['predictions']) == 1
    else:
        from mmpretrain import ImageClassificationInferencer

        (result,) = ImageClassificationInferencer(str(CONFIGS / name), device='cpu')(image)
        assert result['pred_scores'].sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize('name', PARAMS)
def test_test_time_augmentation(load_config, root_of, monkeypatch, name):
    monkeypatch.setenv('DATA_ROOT', root_of(name) if 'imagenet' not in name else 'none')
    cfg = shrunk(load_config(name))
    enable_tta(cfg)
    registry = importlib.import_module(f'{cfg.default_scope}.registry')
    model = registry.MODELS.build(cfg.model).eval()
    if 'imagenet' in name:
        return
    dataset = registry.DATASETS.build(cfg.test_dataloader.dataset)
    views = dataset[0]['inputs']
    assert len(views) == (12 if cfg.default_scope == 'mmseg' else 2)
    with torch.no_grad():
        (result,) = model.test_step(pseudo_collate([dataset[0]]))
    if cfg.default_scope == 'mmseg':
        assert result.pred_sem_seg.shape == result.ori_shape == result.gt_sem_seg.shape
    elif cfg.default_scope == 'mmdet':
        assert len(result.pred_instances) <= cfg.tta_model.max_per_img
    else:
        assert result.pred_score.sum() == pytest.approx(1, abs=1e-4) and 'gt_label' in result


def test_a_config_without_test_time_augmentation(load_config):
    cfg = load_config(FAST[0])
    cfg.pop('tta_pipeline')
    with pytest.raises(UserError, match='has no tta_pipeline'):
        enable_tta(cfg)


class BaseModelForTest(BaseModel):
    def forward(self, inputs, data_samples=None, mode='predict'):
        return data_samples


def instances(boxes, scores, masks=None):
    from mmengine.structures import InstanceData

    data = InstanceData(bboxes=torch.tensor(boxes).view(-1, 4), scores=torch.tensor(scores))
    data.labels = torch.zeros(len(scores), dtype=torch.long)
    if masks is not None:
        data.masks = masks
    return data


@pytest.mark.parametrize('direction, dims', [('horizontal', -1), ('vertical', -2), ('diagonal', (-2, -1))])
def test_flipped_instances_are_merged_in_the_frame_of_the_image(direction, dims):
    from mmdet.structures import DetDataSample

    from mmssl_geo.models import InstanceTTAModel

    masks = torch.zeros(1, 10, 20, dtype=torch.bool)
    masks[:, 2:5, 1:7] = True
    ys, xs = (2, 5), (1, 7)
    if direction in ('horizontal', 'diagonal'):
        xs = (13, 19)
    if direction in ('vertical', 'diagonal'):
        ys = (5, 8)
    plain = DetDataSample(metainfo=dict(ori_shape=(10, 20), flip=False))
    plain.pred_instances = instances([[1.0, 2.0, 7.0, 5.0]], [0.4], masks)
    flipped = DetDataSample(metainfo=dict(ori_shape=(10, 20), flip=True, flip_direction=direction))
    box = [float(value) for value in (xs[0], ys[0], xs[1], ys[1])]
    flipped.pred_instances = instances([box], [0.9], masks.flip(dims))
    model = InstanceTTAModel(nms=dict(type='nms', iou_threshold=0.5), module=BaseModelForTest())
    (merged,) = model.merge_preds([[plain, flipped]])
    assert merged.pred_instances.bboxes.tolist() == [[1, 2, 7, 5]]
    assert merged.pred_instances.scores.tolist() == [pytest.approx(0.9)]
    assert torch.equal(merged.pred_instances.masks, masks)
