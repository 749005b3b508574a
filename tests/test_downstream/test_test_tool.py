import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS

from mmssl_geo.utils.errors import UserError

from .conftest import CONFIGS, NARROW

TOOL = Path(__file__).parents[2] / 'tools' / 'test.py'
SEGMENTER = 'mmseg/semfpn_vitt16_small_camvid-360x480.py'
NARROW_OPTIONS = {
    'model.backbone.arch': {'_delete_': True, **NARROW},
    'model.neck.in_channels': [48] * 4,
    'test_dataloader.num_workers': 0,
    'test_dataloader.persistent_workers': False,
}


@pytest.fixture
def evaluate(run_tool, tmp_path):
    def run(*arguments):
        run_tool.main('test.py', *arguments, '--work-dir', tmp_path / 'work')

    return run


@pytest.fixture
def narrow_config(camvid_root, tmp_path):
    cfg = Config.fromfile(CONFIGS / SEGMENTER)
    cfg.merge_from_dict({**NARROW_OPTIONS, 'test_dataloader.dataset.data_root': str(camvid_root)})
    path = tmp_path / 'narrow.py'
    cfg.dump(path)
    return path


def constant_segmenter(load_config):
    """State of a segmenter that says class 0 everywhere."""
    import mmseg.registry

    cfg = load_config(SEGMENTER, **NARROW_OPTIONS)
    state = mmseg.registry.MODELS.build(cfg.model).state_dict()
    state['decode_head.conv_seg.weight'].zero_()
    state['decode_head.conv_seg.bias'].zero_()[0] = 1
    return state


def test_metrics_are_right_and_written(evaluate, narrow_config, load_config, tmp_path, capsys):
    torch.save(dict(state_dict=constant_segmenter(load_config)), tmp_path / 'model.pth')
    evaluate(narrow_config, tmp_path / 'model.pth', '--out', tmp_path / 'deep' / 'metrics.json')
    metrics = json.loads((tmp_path / 'deep' / 'metrics.json').read_text())
    # half of the pixels are class 0, half class 3: IoU 1/2 and 0; the absent classes do not count
    assert metrics == pytest.approx({'aAcc': 50, 'mIoU': 25, 'mAcc': 50})
    assert 'mIoU                     25.0000' in capsys.readouterr().out


def test_test_time_augmentation(evaluate, narrow_config, load_config, tmp_path):
    torch.save(dict(state_dict=constant_segmenter(load_config)), tmp_path / 'model.pth')
    evaluate(narrow_config, tmp_path / 'model.pth', '--tta', '--out', tmp_path / 'metrics.json')
    assert json.loads((tmp_path / 'metrics.json').read_text()) == pytest.approx({'aAcc': 50, 'mIoU': 25, 'mAcc': 50})


def test_stock_tools_with_test_time_augmentation(narrow_config, load_config, tmp_path):
    torch.save(dict(state_dict=constant_segmenter(load_config)), tmp_path / 'model.pth')
    cfg = Config.fromfile(narrow_config)
    cfg.update(load_from=str(tmp_path / 'model.pth'), work_dir=str(tmp_path), experiment_name=tmp_path.name)
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline  # as in mmseg's tools/test.py
    cfg.tta_model.module = cfg.model
    cfg.model = cfg.tta_model
    assert RUNNERS.build(cfg).test() == pytest.approx({'aAcc': 50, 'mIoU': 25, 'mAcc': 50})


def test_a_part_of_a_model_is_refused(evaluate, narrow_config, load_config, tmp_path):
    state = constant_segmenter(load_config)
    del state['decode_head.conv_seg.bias']
    torch.save(state, tmp_path / 'part.pth')
    with pytest.raises(UserError, match=r'1 of \d+ are missing: decode_head\.conv_seg\.bias'):
        evaluate(narrow_config, tmp_path / 'part.pth')


def test_missing_data_names_the_option(evaluate, narrow_config, load_config, tmp_path):
    torch.save(constant_segmenter(load_config), tmp_path / 'model.pth')
    with pytest.raises(UserError, match='nowhere.* If it is the data: .*DATA_ROOT'):
        evaluate(narrow_config, tmp_path / 'model.pth', '--cfg-options', 'test_dataloader.dataset.data_root=/nowhere')


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['none.py', 'none.pth'], 'there is no config file none.py'),
        ([CONFIGS / SEGMENTER, 'none.pth', '--out', 'x.pkl'], 'must end in .json'),
        ([CONFIGS / SEGMENTER, 'none.pth', '--cfg-options', 'model.backbone.arch.x.y=1'], 'does not fit --cfg-options'),
    ],
)
def test_wrong_arguments(evaluate, arguments, message):
    with pytest.raises(UserError, match=message):
        evaluate(*arguments)


def test_work_dir_that_cannot_be_made(evaluate, tmp_path):
    torch.save({}, tmp_path / 'model.pth')
    (tmp_path / 'work').write_text('a file')
    with pytest.raises(UserError, match='cannot write .*work is a file, not a folder'):
        evaluate(CONFIGS / SEGMENTER, tmp_path / 'model.pth')


def test_no_traceback(tmp_path):
    done = subprocess.run(
        [sys.executable, TOOL, CONFIGS / SEGMENTER, 'none.pth', '--work-dir', tmp_path],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1 and done.stderr.strip().endswith('error: checkpoint none.pth: no such file')
    assert 'Traceback' not in done.stderr
