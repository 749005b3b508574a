"""The quick start: the suite `quick` with one seed and without DINO, and a report of random weights against GTSA."""

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmssl_geo.datasets import ImageListDataset
from mmssl_geo.datatools.scenes import SceneOptions, best_constant_miou
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import write_json
from mmssl_geo.utils.subprocesses import ProcessGroup
from mmssl_geo.visualization.quickstart_picture import draw_quickstart

from .plan.jobs import DataRoots, Job, Plan, choose_inits, choose_tasks
from .plan.suite import SCRATCH, Dataset, load_suite
from .run.data import generate_data
from .run.exports import Exporter
from .run.jobs import OutputFolder
from .run.workers import Worker, make_workers, visible_gpus
from .runner import run

RECIPE = 'gtsa'
LABELS = {SCRATCH: 'random weights', RECIPE: 'GTSA'}
METRICS = ('box AP', 'box AP50', 'mask AP', 'mask AP50', 'mIoU')  # of the table and the report
CPU_JOBS = 2


def quickstart_plan(out: Path, images: Path | None = None, epochs: int | None = None) -> Plan:
    """Plans the quick start.

    Args:
        out: Output folder.
        images: Folder of images to pretrain on; None: the generated scenes.
        epochs: Pretraining epochs; None: those of the recipe.

    Raises:
        UserError: If the folder contains no images.
    """
    suite = load_suite('quick')
    recipe, data, roots = suite.recipes[RECIPE], suite.data, {}
    if epochs is not None:
        recipe = replace(recipe, cfg_options={**recipe.cfg_options, 'train_cfg.max_epochs': epochs})
    if images is not None:
        ImageListDataset(str(images))  # raises an error if there are no images
        data, roots = {**data, 'images': Dataset('images', 'a folder of images')}, {'images': images}
        prefix = {'train_dataloader.dataset.data_prefix': ''}
        recipe = replace(recipe, data='images', cfg_options={**recipe.cfg_options, **prefix})
    suite = replace(suite, name='quickstart', data=data, recipes={RECIPE: recipe}, baselines=(SCRATCH,))
    out = out.absolute()
    # a second call runs failed jobs again
    return Plan(
        suite, choose_tasks(suite), choose_inits(suite), 1, out, DataRoots(data, roots, out / 'data'), retry_failed=True
    )


def quickstart_workers() -> list[Worker]:
    """Uses all GPUs or, without a GPU, two halves of the CPU."""
    gpus = visible_gpus()
    return make_workers(jobs=None if gpus else CPU_JOBS, visible=gpus, cores=len(os.sched_getaffinity(0)))


def run_quickstart(plan: Plan, workers: list[Worker]) -> dict[str, Any]:
    """Runs the quick start and writes `report.json`.

    Args:
        plan: Plan of `quickstart_plan`.
        workers: Workers that run its jobs.

    Returns:
        The content of `report.json`.

    Raises:
        UserError: If a job failed.
    """
    start_time = time.time()
    try:
        plan.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f'--out {plan.out} cannot be created: {error.strerror}') from error
    generate_data(plan)
    data_seconds = time.time() - start_time
    if run(plan, workers, show_table=False):
        raise UserError(
            'the quick start is not complete, for the reasons above; the same command runs the remaining steps'
        )
    report = make_report(plan, data_seconds, time.time() - start_time)
    write_json(plan.out / 'report.json', report)
    return report


def make_report(plan: Plan, data_seconds: float, total_seconds: float) -> dict[str, Any]:
    """Collects the results of a finished quick start.

    Args:
        plan: Plan of the quick start.
        data_seconds: Time that the scenes took.
        total_seconds: Time of the whole run.
    """
    folder = OutputFolder(plan.out)
    metrics: dict[str, dict[str, float]] = {label: {} for label in LABELS.values()}
    for job in plan.jobs:
        found = folder.job(job).result['metrics']
        metrics[LABELS[job.init.name]].update({name: round(found[name], 2) for name in METRICS if name in found})
    scenes = plan.roots['scenes']
    miou, _ = best_constant_miou(scenes / 'semantic' / 'val', num_classes=SceneOptions().classes + 1)
    recipe = plan.suite.recipes[RECIPE]
    return dict(
        results=metrics,
        best_constant_miou=miou,
        seconds={'scenes': round(data_seconds, 1), **_stage_seconds(plan, folder)},
        total_seconds=total_seconds,
        pretrained_on=str(plan.roots['images'] if recipe.data == 'images' else scenes / 'images' / 'train'),
    )


def _stage_seconds(plan: Plan, folder: OutputFolder) -> dict[str, float]:
    def of_jobs(jobs: list[Job]) -> float:
        return max(folder.job(job).result['seconds_of_last_attempt'] for job in jobs)  # they run side by side

    exporter = Exporter(folder.exports, ProcessGroup())
    seconds = {'pretraining': folder.pretraining(RECIPE).result['seconds_of_last_attempt']}
    for task in plan.tasks:
        seconds[f'export to {task.target}'] = exporter.seconds(RECIPE, task.target)
    for task in plan.tasks:
        seconds[f'fine-tuning in {task.target}'] = of_jobs([job for job in plan.jobs if job.task == task])
    return seconds


def draw_figure(plan: Plan, report: Mapping[str, Any]) -> Path:
    """Draws `report.png` of a finished quick start and returns its path."""
    folder = OutputFolder(plan.out).pretraining(RECIPE)
    path = plan.out / 'report.png'
    draw_quickstart(path, folder.config, folder.train, report)
    return path


def format_table(report: Mapping[str, Any]) -> str:
    """Formats the results as a Markdown table."""
    random, gtsa = (report['results'][label] for label in LABELS.values())
    rows = ['| fine-tuned on the generated scenes | random weights | GTSA | difference |', '|---|---|---|---|']
    for metric, value in gtsa.items():
        rows.append(f'| {metric} | {random[metric]:.1f} | {value:.1f} | {value - random[metric]:+.1f} |')
    return '\n'.join([*rows, '', f'mIoU of the best constant prediction: {report["best_constant_miou"]:.1f}'])
