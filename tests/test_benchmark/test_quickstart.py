import json
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mmssl_geo.benchmark import quickstart
from mmssl_geo.benchmark.plan.configs import recipe_config, task_config
from mmssl_geo.benchmark.plan.suite import Dataset
from mmssl_geo.benchmark.quickstart import draw_figure, format_table, make_report, quickstart_plan, run_quickstart
from mmssl_geo.benchmark.run.data import generate_data
from mmssl_geo.benchmark.run.jobs import OutputFolder
from mmssl_geo.benchmark.run.workers import make_workers
from mmssl_geo.utils.errors import UserError

RESULTS = {
    'mask-rcnn': {'box AP': 3.801, 'box AP50': 13.0, 'mask AP': 2.4, 'mask AP50': 9.0},
    'semfpn': {'mIoU': 83.694, 'mAcc': 90.0},
}


def test_it_is_the_suite_quick_with_one_seed_and_without_dino(tmp_path):
    plan = quickstart_plan(tmp_path)
    assert [job.name for job in plan.jobs] == [
        f'{task}_quickstart_scenes/{init}/seed-0' for task in ('mask-rcnn', 'semfpn') for init in ('scratch', 'gtsa')
    ]
    assert [recipe.name for recipe in plan.recipes] == ['gtsa']
    cfg = recipe_config(plan.recipes[0], plan.roots['scenes'])
    assert cfg.train_cfg.max_epochs == 40
    dataset = cfg.train_dataloader.dataset
    assert (dataset.data_root, dataset.data_prefix) == (f'{tmp_path}/data/scenes', 'images/train/')


def test_images_and_epochs_are_options_of_the_pretraining(tmp_path):
    images = tmp_path / 'my, photos'
    images.mkdir()
    Image.new('RGB', (80, 80)).save(images / '0.jpg')
    plan = quickstart_plan(tmp_path / 'out', images, epochs=3)
    cfg = recipe_config(plan.recipes[0], plan.roots[plan.recipes[0].data])
    assert cfg.train_cfg.max_epochs == 3
    assert (cfg.train_dataloader.dataset.data_root, cfg.train_dataloader.dataset.data_prefix) == (str(images), '')
    assert {task.data for task in plan.tasks} == {'scenes'} and plan.roots.is_generated('scenes')


def test_a_folder_without_images_is_refused_at_once(tmp_path):
    with pytest.raises(UserError, match=str(tmp_path)):
        quickstart_plan(tmp_path / 'out', tmp_path)
    assert not (tmp_path / 'out').exists()


def test_checkpoint_of_the_environment_does_not_initialise_a_run(tmp_path, monkeypatch):
    monkeypatch.setenv('CHECKPOINT', '/nowhere/else.pth')
    plan = quickstart_plan(tmp_path)
    for task in plan.tasks:
        assert not task_config(task, tmp_path, None, 0, {}).model.backbone.init_cfg.checkpoint
    init_cfg = recipe_config(plan.recipes[0], tmp_path).model.backbone.get('init_cfg') or {}
    assert not init_cfg.get('checkpoint')
    assert quickstart.quickstart_workers()[0].environment['CHECKPOINT'] == ''


@pytest.mark.parametrize('gpus, cores, expected', [([], 2, [('', 1), ('', 1)]), (['0'], 8, [('0', 8)])])
def test_fine_tunings_run_side_by_side_on_a_cpu(monkeypatch, gpus, cores, expected):
    monkeypatch.setattr(quickstart, 'visible_gpus', lambda: gpus)
    monkeypatch.setattr(quickstart.os, 'sched_getaffinity', lambda _: range(cores))
    assert [(worker.gpus, worker.threads) for worker in quickstart.quickstart_workers()] == expected


def tiny_plan(out, **options):
    plan = quickstart_plan(out, **options)
    scenes = Dataset('scenes', '', scenes=dict(num_train=16, num_val=4))
    return replace(
        plan,
        roots=replace(plan.roots, datasets={**plan.roots.datasets, 'scenes': scenes}),
        **{'suite': replace(plan.suite, data={**plan.suite.data, 'scenes': scenes})},
    )


def test_report_of_finished_jobs(tmp_path):
    plan = tiny_plan(tmp_path)
    generate_data(plan)
    folder = OutputFolder(tmp_path)
    folder.exports.mkdir()
    for target in ('mmdet', 'mmseg'):
        (folder.exports / f'gtsa_{target}.json').write_text(json.dumps(dict(seconds=4.5)))
    folder.pretraining('gtsa').finish(dict(seconds_of_last_attempt=258))
    for number, job in enumerate(plan.jobs):
        metrics = {
            name: value + 10 * (job.init.name == 'gtsa') for name, value in RESULTS[job.task.name.split('_')[0]].items()
        }
        folder.job(job).finish(dict(metrics=metrics, seconds_of_last_attempt=number))
    report = make_report(plan, 1.84, 100.0)
    labels = np.stack([np.asarray(Image.open(path)) for path in (tmp_path / 'data/scenes/semantic/val').iterdir()])
    best = max((labels == label).mean() for label in range(4)) / 4 * 100
    assert report.pop('best_constant_miou') == pytest.approx(best)
    assert report == dict(
        results={
            'random weights': {'box AP': 3.8, 'box AP50': 13.0, 'mask AP': 2.4, 'mask AP50': 9.0, 'mIoU': 83.69},
            'GTSA': {'box AP': 13.8, 'box AP50': 23.0, 'mask AP': 12.4, 'mask AP50': 19.0, 'mIoU': 93.69},
        },
        seconds={
            'scenes': 1.8,
            'pretraining': 258,
            'export to mmdet': 4.5,
            'export to mmseg': 4.5,
            'fine-tuning in mmdet': 1,
            'fine-tuning in mmseg': 3,
        },
        total_seconds=100.0,
        pretrained_on=f'{tmp_path}/data/scenes/images/train',
    )


def test_table():
    report = dict(results={'random weights': {'box AP': 10.0}, 'GTSA': {'box AP': 12.34}}, best_constant_miou=20.0)
    assert '| box AP | 10.0 | 12.3 | +2.3 |' in format_table(report)
    assert 'best constant prediction: 20.0' in format_table(report)


@pytest.mark.slow
def test_from_nothing_to_a_figure(tmp_path):
    plan = tiny_plan(tmp_path, epochs=1)
    shorter = {'mask-rcnn': {'train_cfg.max_epochs': 1}, 'semfpn': {'train_cfg.max_iters': 2}}
    tasks = [
        replace(
            task,
            cfg_options={
                **task.cfg_options,
                **shorter[task.name.split('_')[0]],
                'default_hooks.checkpoint.interval': 1,
            },
        )
        for task in plan.tasks
    ]
    plan = replace(plan, tasks=tasks)
    report = run_quickstart(plan, make_workers(jobs=2))
    assert json.loads((tmp_path / 'report.json').read_text()) == report
    assert list(report) == ['results', 'best_constant_miou', 'seconds', 'total_seconds', 'pretrained_on']
    for metrics in report['results'].values():
        assert list(metrics) == ['box AP', 'box AP50', 'mask AP', 'mask AP50', 'mIoU']
        assert all(0 <= value <= 100 for value in metrics.values())
    assert draw_figure(plan, report).stat().st_size > 50000
    start_time = time.time()
    assert run_quickstart(plan, make_workers(jobs=2))['results'] == report['results']
    assert time.time() - start_time < 120
