"""Fine-tunes checkpoints on all tasks of a suite with several seeds and writes one table.

    python tools/benchmark.py quick                                              # pretrains its own recipes first
    python tools/benchmark.py coco --checkpoints gtsa.pth dino.pth --baselines scratch --data coco=/data/coco
    python tools/benchmark.py paper-gtsa --dry-run                               # plan, cost and what is missing

Run the same command again to resume. Exit status: 0 all jobs are finished, 1 some jobs failed or an option is wrong, 2
something is missing.
"""

import argparse
import os
import signal
from pathlib import Path

from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.config import CfgOptionsAction
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import check_writable


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('suite', help='name of a suite in configs/suites/, or path of a .py file of that form')
    add(
        '--checkpoints',
        nargs='+',
        type=Path,
        default=[],
        metavar='CKPT',
        help='pretrained checkpoints in any layout that tools/convert_checkpoint.py reads (default: pretrain the '
        'recipes of the suite)',
    )
    add('--names', nargs='+', default=[], help='names of the checkpoints (default: their file names)')
    add(
        '--baselines',
        type=_comma_separated,
        metavar='A,B',
        help='initialisations to compare with: scratch (random weights), a recipe of the suite, or NAME=CKPT (default: '
        'scratch; without --checkpoints those of the suite)',
    )
    add('--seeds', type=int, help='number of runs of each task, with seeds 0, 1, ... (default: that of the suite)')
    add('--tasks', nargs='+', help='run only these tasks')
    add('--out', type=Path, help='output folder (default: work_dirs/benchmark/SUITE)')
    add('--data', nargs='+', default=[], metavar='NAME=ROOT', help='root folders of the data sets')
    devices = parser.add_mutually_exclusive_group()
    devices.add_argument('--gpus', type=_comma_separated, metavar='0,1', help='GPUs to use (default: all)')
    devices.add_argument(
        '--jobs',
        type=int,
        help='number of parallel jobs on the CPU '
        '(default without a GPU: the cores, at most 4) or, with --slurm, in its queue',
    )
    add(
        '--gpus-per-job',
        type=int,
        default=1,
        help='number of processes of one training, which share its batch (default: 1)',
    )
    add('--slurm', metavar='PARTITION', help='run the jobs with tools/slurm_train.sh; SRUN_ARGS is passed on')
    add('--retry-failed', action='store_true', help='run failed jobs again')
    add('--dry-run', action='store_true', help='print the plan and run the checks only')
    add('--cfg-options', nargs='+', action=CfgOptionsAction, default={}, help='key=value overrides of the task configs')
    return parser.parse_args()


def _comma_separated(text: str) -> list[str]:
    return text.split(',')


def data_roots(words: list[str]) -> dict[str, Path]:
    """Parses `NAME=ROOT` words.

    Raises:
        UserError: If a word has another form.
    """
    roots = {}
    for word in words:
        name, separator, root = word.partition('=')
        if not separator or not root:
            raise UserError(f'--data takes NAME=ROOT, got {word!r}')
        roots[name] = Path(root)
    return roots


def main() -> int:
    args = parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM also stops the child processes
    from mmengine.logging import MMLogger

    from mmssl_geo.benchmark.plan.jobs import DataRoots, Plan, choose_inits, choose_tasks
    from mmssl_geo.benchmark.plan.suite import load_suite
    from mmssl_geo.benchmark.run.workers import make_workers, visible_gpus
    from mmssl_geo.benchmark.runner import dry_run, run

    MMLogger.get_current_instance().setLevel('WARNING')  # it would log the data root of every config that is read
    suite = load_suite(args.suite)
    workers = make_workers(
        args.gpus, args.jobs, args.gpus_per_job, args.slurm, visible_gpus(), len(os.sched_getaffinity(0))
    )
    out = (args.out or Path('work_dirs') / 'benchmark' / suite.name).absolute()
    check_writable(out / 'report.json')
    plan = Plan(
        suite,
        choose_tasks(suite, args.tasks),
        choose_inits(suite, args.checkpoints, args.names, args.baselines),
        suite.seeds if args.seeds is None else args.seeds,
        out,
        DataRoots(suite.data, data_roots(args.data), out / 'data'),
        args.cfg_options,
        args.retry_failed,
    )
    return dry_run(plan, workers) if args.dry_run else run(plan, workers)


if __name__ == '__main__':
    run_tool(main)
