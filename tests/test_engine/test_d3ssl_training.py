"""Runs of D3SSL that are broken off and resumed, in two processes, and what becomes of their checkpoints."""

import pytest
import torch
from mmengine.hooks import Hook

from mmssl_geo.apis.train import build_runner
from mmssl_geo.checkpoints import convert, read_checkpoint
from mmssl_geo.engine.hooks.replica_check_hook import weights_digest
from mmssl_geo.models import SSLResNet, SSLVisionTransformer
from mmssl_geo.registry import MODELS
from tests.support.regions import d3ssl_config, make_runs_start_quickly, random_regions, tiny_run, write_noise
from tests.support.tools import train_on_two_processes


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    make_runs_start_quickly(monkeypatch)


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    return write_noise(tmp_path_factory.mktemp('photos'))


class Kill(Hook):
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == 3:  # in the middle of the second epoch
            raise KeyboardInterrupt


@pytest.mark.parametrize('name', ['d3ssl_r18_photos', 'd3ssl_quickstart'])
def test_broken_off_and_resumed_equals_uninterrupted_bitwise(name, photos, tmp_path):
    def runner(folder, **kwargs):
        cfg = tiny_run(
            name,
            photos,
            tmp_path / folder,
            **{
                'default_hooks.checkpoint.by_epoch': False,
                'default_hooks.checkpoint.interval': 1,
                'default_hooks.checkpoint.max_keep_ckpts': -1,
            },
        )
        cfg.train_cfg.max_epochs = 2
        cfg.experiment_name += f'_{len(kwargs)}'
        return build_runner(cfg, **kwargs)

    runner('whole').train()
    broken = runner('broken')
    broken.register_hook(Kill(), priority='LOWEST')
    with pytest.raises(KeyboardInterrupt):
        broken.train()
    assert not (tmp_path / 'broken/iter_4.pth').exists()
    runner('broken', resume='auto').train()
    a, b = (read_checkpoint(tmp_path / folder / 'iter_4.pth') for folder in ('whole', 'broken'))
    assert a['state_dict'].keys() == b['state_dict'].keys()
    for key, value in a['state_dict'].items():
        assert torch.equal(value, b['state_dict'][key]), key
    for key, state in a['optimizer']['state'].items():
        assert all(torch.equal(value, b['optimizer']['state'][key][part]) for part, value in state.items())


@pytest.mark.parametrize(
    'name, net, heads', [('d3ssl_r18_photos', SSLResNet, None), ('d3ssl_quickstart', SSLVisionTransformer, 2)]
)
def test_a_checkpoint_is_exported_and_loaded_strictly(name, net, heads, photos, tmp_path):
    cfg = tiny_run(name, photos, tmp_path / 'work', **{'train_cfg.max_epochs': 1})
    runner = build_runner(cfg)
    runner.train()
    convert(tmp_path / 'work/epoch_1.pth', tmp_path / 'exported.pth', 'mmpretrain', num_heads=heads)
    options = {key: value for key, value in cfg.model.backbone.items() if key not in ('type', 'init_cfg')}
    backbone = net(**options, init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'exported.pth')))
    backbone.init_weights()
    images = torch.randn(2, 3, 64, 64)
    teacher = runner.model.teacher
    teacher.eval()
    backbone.eval()
    torch.testing.assert_close(backbone(images)[-1], teacher.backbone(images)[-1])
    if net is SSLResNet:
        expected = {key: value for key, value in teacher.backbone.named_buffers()}
        assert all(torch.equal(value, expected[key]) for key, value in backbone.named_buffers())
        assert backbone.bn1.num_batches_tracked == 2 * 2, 'two teacher views, two steps: statistics of its own'


def test_the_digest_of_weights_spares_statistics_that_processes_do_not_share(default_scope):
    model = MODELS.build(d3ssl_config())
    model.init_weights()
    before = weights_digest(model)
    model.train()(random_regions(), mode='loss')  # moves running statistics only
    for module in model.modules():
        if hasattr(module, 'num_batches_tracked'):
            module.num_batches_tracked.zero_()
    assert weights_digest(model) == before
    model.teacher.backbone.bn1.bias.data[0] += 1e-7
    assert weights_digest(model) != before


def test_the_digest_covers_synchronised_statistics(default_scope):
    model = torch.nn.Sequential(torch.nn.SyncBatchNorm(4))
    before = weights_digest(model)
    model[0].running_mean[0] = 1.0
    assert weights_digest(model) != before


@pytest.mark.slow
def test_two_processes_keep_identical_weights(photos, tmp_path):
    options = {
        'train_dataloader.dataset.data_root': photos,
        'train_dataloader.dataset.pipeline.views.size': 64,
        'train_dataloader.dataset.pipeline.x2_small.size': 32,
        'model.backbone.base_channels': 8,
        'model.backbone.stem_channels': 8,
        'train_dataloader.num_workers': 0,
        'train_dataloader.batch_size': 2,
        'train_cfg.max_epochs': 2,
    }
    output = train_on_two_processes('configs/d3ssl_r18_photos.py', tmp_path, options, port=29623)
    assert output.count('2 processes hold identical student and teacher weights') == 2
