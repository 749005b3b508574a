"""Every shipped downstream config works with the inference functions of its package."""

import numpy as np
import pytest

from .conftest import CONFIGS

IMAGE = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
LARGE = ('vitb16', 'r50', 'upernet', 'cascade', 'vits16')


def configs(package):
    """The configs of a package; those with a large net are slow."""
    for path in sorted((CONFIGS / package).glob('*.py')):
        marks = [pytest.mark.slow] if any(word in path.name for word in LARGE) else []
        yield pytest.param(path, id=path.stem, marks=marks)


@pytest.mark.parametrize('path', configs('mmseg'))
def test_segmentation(path):
    from mmseg.apis import MMSegInferencer, inference_model, init_model

    model = init_model(str(path), device='cpu')
    labels = inference_model(model, IMAGE).pred_sem_seg.data
    assert labels.shape[-2:] == (64, 96) and labels.max() < model.decode_head.num_classes
    assert model.cfg.tta_model.type == 'SegTTAModel' and model.cfg.tta_pipeline[-1].type == 'TestTimeAug'
    inferencer = MMSegInferencer(str(path), device='cpu')
    assert inferencer(IMAGE, return_datasamples=True).pred_sem_seg.data.shape == labels.shape


@pytest.mark.parametrize('path', configs('mmdet'))
def test_detection(path):
    from mmdet.apis import DetInferencer, inference_detector, init_detector

    model = init_detector(str(path), device='cpu', palette='random')
    found = inference_detector(model, IMAGE).pred_instances
    assert found.bboxes.shape == (len(found.labels), 4)
    inferencer = DetInferencer(str(path), device='cpu', palette='random', show_progress=False)
    assert 'predictions' in inferencer(IMAGE, no_save_vis=True)


@pytest.mark.parametrize('path', configs('mmpretrain'))
def test_classification(path):
    from mmengine.registry import init_default_scope
    from mmpretrain import ImageClassificationInferencer

    init_default_scope('mmpretrain')  # a test of mmdet in the same process may have set another one
    result = ImageClassificationInferencer(str(path), device='cpu')(IMAGE)[0]
    assert np.isfinite(result['pred_scores']).all()
