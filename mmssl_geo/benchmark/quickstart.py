"""The quick start: scenes, pretraining, export, fine-tuning in mmdet and mmseg, table and picture."""

import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from mmssl_geo.datasets import ImageListDataset
from mmssl_geo.datatools.scenes import SceneOptions, best_constant_miou, write_scenes
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.paths import resource_root
from mmssl_geo.utils.subprocesses import last_checkpoint, run_step, tool

ROOT = resource_root()
PRETRAIN = 'configs/gtsa_quickstart.py'
DOWNSTREAM = {
    'mmdet': 'configs/downstream/mmdet/mask-rcnn_quickstart_scenes.py',
    'mmseg': 'configs/downstream/mmseg/semfpn_quickstart_scenes.py',
}
METRICS = {
    'mmdet': {
        'box AP': 'coco/bbox_mAP',
        'box AP50': 'coco/bbox_mAP_50',
        'mask AP': 'coco/segm_mAP',
        'mask AP50': 'coco/segm_mAP_50',
    },
    'mmseg': {'mIoU': 'mIoU'},
}


@dataclass
class Quickstart:
    """One run of the quick start; every step is one of the tools that a user would call.

    Args:
        out: folder for everything that is made.
        images: folder of the reader's own photos to pretrain on; None pretrains on the embedded scenes.
        num_train, num_val: embedded scenes.
        options, finetune_options: overrides of the pretraining and the fine-tuning configs, `key=value`.
    """

    out: Path
    images: Path = None
    num_train: int = 256
    num_val: int = 96
    options: list = field(default_factory=list)
    finetune_options: list = field(default_factory=list)

    def __post_init__(self):
        self.seconds = {}
        self.scenes = self.out / 'scenes'

    def run(self):
        """All steps; returns the report that was written to `report.json`."""
        started = time.time()
        if self.images is not None:
            ImageListDataset(str(self.images))  # says at once if there is nothing to read
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f'--out {self.out} cannot be made: {error.strerror}') from error
        self._timed('scenes', self._make_scenes)
        self._timed('pretraining', self._pretrain)
        weights = {
            target: self._timed(f'export to {target}', lambda t=target: self._export(t)) for target in DOWNSTREAM
        }
        results = {'random weights': {}, 'GTSA': {}}
        for target in DOWNSTREAM:
            both = self._timed(f'fine-tuning in {target}', lambda t=target: self._finetune_both(t, weights[t]))
            for start, metrics in both.items():
                results[start] |= metrics
        constant, _ = best_constant_miou(self.scenes / 'semantic' / 'val', num_classes=SceneOptions().classes + 1)
        report = dict(
            results=results,
            best_constant_miou=constant,
            seconds=self.seconds,
            total_seconds=time.time() - started,
            pretrained_on=str(self.images or self.scenes / 'images' / 'train'),
        )
        (self.out / 'report.json').write_text(json.dumps(report, indent=2) + '\n')
        return report

    def _timed(self, name, step):
        print(f'\n== {name}', flush=True)
        started = time.time()
        value = step()
        self.seconds[name] = round(time.time() - started, 1)
        print(f'   done in {self.seconds[name]:.0f} s', flush=True)
        return value

    def _make_scenes(self):
        write_scenes(self.scenes, SceneOptions(), self.num_train, self.num_val, workers=2)

    def _train(self, name, config, options, label='', threads=None, data_root=''):
        work_dir = self.out / name
        shutil.rmtree(work_dir, ignore_errors=True)
        run_step(
            tool('train.py', ROOT / config, '--work-dir', work_dir, *(['--cfg-options', *options] if options else [])),
            log=self.out / f'{name}.log',
            label=label,
            env={
                'DATA_ROOT': str(data_root),
                'CHECKPOINT': '',  # that of the caller would initialise every run
                **({'OMP_NUM_THREADS': str(threads)} if threads else {}),
            },
        )
        return work_dir

    def _pretrain(self):
        root = Path(self.images or self.scenes / 'images' / 'train').absolute()
        config = self.out / 'gtsa_quickstart.py'  # a path may hold what --cfg-options would split
        config.write_text(
            f'_base_ = {str(ROOT / PRETRAIN)!r}\n'
            f'train_dataloader = dict(dataset=dict(data_root={str(root)!r}, data_prefix=""))\n'
        )
        return self._train('pretrain', config, self.options)

    def _export(self, target):
        exported = self.out / f'gtsa_{target}.pth'
        run_step(
            tool('convert_checkpoint.py', last_checkpoint(self.out / 'pretrain'), exported, '--to', target),
            log=self.out / f'export_{target}.log',
        )
        return exported

    def _finetune_both(self, target, checkpoint):
        """Fine-tunes from random weights and from GTSA's at the same time, each on half of the cores."""
        inits = {'random weights': None, 'GTSA': checkpoint}
        threads = max(1, (os.cpu_count() or 1) // len(inits))
        with ThreadPoolExecutor(len(inits)) as pool:
            runs = {
                start: pool.submit(self._finetune, target, start, weights, threads) for start, weights in inits.items()
            }
        return {start: run.result() for start, run in runs.items()}

    def _finetune(self, target, start, checkpoint, threads):
        options = [f'model.backbone.init_cfg.checkpoint={checkpoint}'] if checkpoint else []
        name = f'{target}_{"gtsa" if checkpoint else "random"}'
        work_dir = self._train(
            name,
            DOWNSTREAM[target],
            options + self.finetune_options,
            label=f'{start}, ',
            threads=threads,
            data_root=self.scenes,
        )
        scalars = last_validation(work_dir)
        missing = [key for key in METRICS[target].values() if key not in scalars]
        if missing:
            raise UserError(f'{target} ({start}) did not report {", ".join(missing)}; see {self.out / name}.log')
        scale = 100 if target == 'mmdet' else 1
        return {metric: round(scale * scalars[key], 2) for metric, key in METRICS[target].items()}


def last_validation(work_dir):
    """The last line of validation metrics in a work directory's local scalars."""
    lines = [
        json.loads(line)
        for path in sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
        for line in path.read_text().splitlines()
    ]
    validations = [line for line in lines if 'loss' not in line]
    return validations[-1] if validations else {}


def format_table(report):
    """The results as a Markdown table."""
    results = report['results']
    rows = ['| fine-tuned on the embedded scenes | random weights | GTSA | difference |', '|---|---|---|---|']
    for metric, value in results['GTSA'].items():
        base = results['random weights'][metric]
        rows.append(f'| {metric} | {base:.1f} | {value:.1f} | {value - base:+.1f} |')
    constant = report['best_constant_miou']
    return '\n'.join([*rows, '', f'mIoU of the best constant prediction: {constant:.1f}'])
