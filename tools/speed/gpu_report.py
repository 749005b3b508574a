"""Runs everything that needs a GPU within a few minutes, and reports what works and how fast it is.

    python tools/speed/gpu_report.py --out report.json                          # on a GPU, at most 8 minutes
    python tools/speed/gpu_report.py --out report.json --reference GTSA         # also times the official code
    python tools/speed/gpu_report.py --out report.json --toy                    # tiny sizes, also on a CPU

The sections are independent: one that fails, or for which no time is left, does not stop the others. Prints a table and
writes a JSON file with the date, the hardware, the versions, and each section's command, seconds and result.
"""

import argparse
import contextlib
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import check_writable, write_json
from mmssl_geo.utils.versions import MINIMUM, installed_version

ROOT = Path(__file__).resolve().parents[2]
PAPER = 'configs/gtsa_vits16_coco.py'
TOY = 'configs/gtsa_quickstart.py'
TAIL = 400  # characters of the output of a failed section that are reported


@dataclass
class Section:
    """A part of the report.

    Attributes:
        name: Name in the table.
        command: Arguments of the Python interpreter.
        seconds: Expected seconds; the section is skipped if fewer are left.
        environment: Variables for the command.
        needs_gpu: Whether the section is skipped without a GPU.
        status: 'ok', 'failed' or 'skipped'; empty before the section.
        took: Seconds that it took.
        result: The JSON object in the last line of the output, or why the section failed or was skipped.
    """

    name: str
    command: list[str]
    seconds: float
    environment: dict[str, str] = field(default_factory=dict)
    needs_gpu: bool = False
    status: str = ''
    took: float = 0.0
    result: Any = None


def sections(work: Path, toy: bool, reference: str | None) -> Iterator[Section]:
    """Yields the sections; later ones read what earlier ones wrote to `work`."""
    scenes, run = work / 'scenes', work / 'run'
    epochs = 2 if toy else 8
    train = ['tools/train.py', TOY, '--work-dir', str(run), '--cfg-options']
    options = [f'train_dataloader.dataset.data_root={scenes}', 'train_dataloader.num_workers=2']
    options += [f'train_cfg.max_epochs={epochs}', 'default_hooks.checkpoint.interval=1']
    options += ['train_dataloader.batch_size=8'] if toy else []
    num = '16' if toy else '512'
    yield Section('tests marked for GPUs', ['-m', 'pytest', '-q', '-m', 'gpu', 'tests'], 45, needs_gpu=True)
    yield Section('operators of mmcv', ['tools/speed/gpu_operators.py'], 20)
    yield Section('scenes', ['tools/make_scenes.py', str(scenes), '--num', num, '--num-val', '8', '--size', '128'], 20)
    yield Section('pretraining', [*train, *options], 60)
    resume = [*train[:2], '--resume', str(run / f'epoch_{epochs - 1}.pth'), '--work-dir', str(work / 'resumed')]
    yield Section('resumed run', [*resume, '--cfg-options', *options], 30)
    last = f'epoch_{epochs}.pth'
    compare = ['tools/speed/gpu_operators.py', '--compare', str(run / last), str(work / 'resumed' / last)]
    yield Section('weights after the resume', compare, 10)
    for target in ('mmdet', 'mmseg'):
        export = ['tools/convert_checkpoint.py', str(run / last), str(work / f'{target}.pth'), '--to', target]
        yield Section(f'export to {target}', export, 20)
    for target, config, length in (
        ('mmdet', 'mask-rcnn_quickstart_scenes.py', 'train_cfg.max_epochs=1'),
        ('mmseg', 'semfpn_quickstart_scenes.py', 'train_cfg.max_iters=8' if toy else 'train_cfg.max_iters=100'),
    ):
        command = ['tools/train.py', f'configs/downstream/{target}/{config}', '--work-dir', str(work / target)]
        environment = dict(DATA_ROOT=str(scenes), CHECKPOINT=str(work / f'{target}.pth'))
        yield Section(f'training with {target}', [*command, '--cfg-options', length], 40, environment)
    config, images = (TOY, '2') if toy else (PAPER, '64')
    official = ['--reference', reference] if reference and not toy else []
    iters = ['--iters', '2' if toy else '20', '--batch-size', images]
    yield Section('step', ['tools/speed/step.py', config, *iters, *official], 60)
    yield Section('end to end', ['tools/speed/end_to_end.py', config, *iters, *official], 60)
    matrix = ['tools/speed/gpu_operators.py', '--matrix-rate', '256' if toy else '8192']
    yield Section('rate of matrix products', matrix, 15)


def run_section(section: Section, seconds_left: float) -> None:
    """Runs a section in a process of its own and fills in its status, seconds and result."""
    if section.needs_gpu and not torch.cuda.is_available():
        section.status, section.result = 'skipped', 'needs a GPU'
        return
    if seconds_left < section.seconds:
        section.status, section.result = 'skipped', f'{seconds_left:.0f} s left, needs about {section.seconds:.0f} s'
        return
    start = time.monotonic()
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), **section.environment}
    try:
        done = subprocess.run(
            [sys.executable, '-W', 'ignore', *section.command],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds_left,
        )
    except subprocess.TimeoutExpired:
        section.status, section.result = 'failed', 'no time was left to end it'
    else:
        section.status = 'ok' if done.returncode == 0 else 'failed'
        section.result = _last_json(done.stdout) if section.status == 'ok' else (done.stderr or done.stdout)[-TAIL:]
    section.took = round(time.monotonic() - start, 1)


def _last_json(output: str) -> Any:  # noqa: ANN401  (any JSON value)
    for line in reversed(output.splitlines()):
        with contextlib.suppress(ValueError):
            return json.loads(line)
    return None


def machine() -> dict[str, Any]:
    """Returns the date, the hardware and the versions."""
    gpu = torch.cuda.get_device_properties(0) if torch.cuda.is_available() else None
    versions = {name: installed_version(name) for name in MINIMUM}
    return dict(
        date=datetime.date.today().isoformat(),
        gpu=gpu and dict(name=gpu.name, memory_gib=round(gpu.total_memory / 2**30, 1), cuda=torch.version.cuda),
        cpu_cores=os.cpu_count(),
        python=platform.python_version(),
        versions=versions,
    )


def table(done: list[Section]) -> str:
    """Formats the sections as a table."""
    lines = [f'{"section":<28} {"status":<8} {"seconds":>8}  result']
    for section in done:
        text = ' '.join(str(section.result or '').split())
        lines.append(f'{section.name:<28} {section.status:<8} {section.took:>8.1f}  {text[:100]}')
    return '\n'.join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', required=True, help='.json file to write')
    parser.add_argument('--minutes', type=float, default=8.0, help='time for all sections (default: 8)')
    parser.add_argument('--reference', help='checkout of the official GTSA repository')
    parser.add_argument('--toy', action='store_true', help='tiny sizes (always without a GPU)')
    args = parser.parse_args()
    if not args.out.endswith('.json'):
        raise UserError(f'--out {args.out}: must end in .json')
    check_writable(args.out)
    if args.minutes <= 0:
        raise UserError(f'--minutes {args.minutes}: must be positive')
    toy = args.toy or not torch.cuda.is_available()
    end = time.monotonic() + 60 * args.minutes
    with tempfile.TemporaryDirectory() as folder:
        done = list(sections(Path(folder), toy, args.reference))
        for section in done:
            print(f'{section.name} ...', file=sys.stderr, flush=True)
            run_section(section, end - time.monotonic())
    write_json(args.out, dict(machine(), toy=toy, sections=[asdict(section) for section in done]))
    print(table(done))
    print(f'report written to {args.out}')
    return int(any(section.status == 'failed' for section in done))


if __name__ == '__main__':
    run_tool(main)
