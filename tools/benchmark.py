"""Fine-tunes checkpoints on all tasks of a suite, with several seeds, and writes one table.

    python tools/benchmark.py quick                                              # pretrains its own recipes first
    python tools/benchmark.py coco --checkpoints gtsa.pth dino.pth --baselines scratch --data coco=/data/coco
    python tools/benchmark.py paper-gtsa --dry-run                               # plan, costs and what is missing

The same command goes on where it was stopped. Exit status: 0 all done, 1 some jobs failed or an option is wrong,
2 something is missing.
"""
import argparse
import os
import signal
from pathlib import Path

from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.config import Overrides
from mmssl_geo.utils.errors import UserError


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('suite', help='name of a suite in configs/suites/, or a .py file of that form')
    add('--checkpoints', nargs='+', type=Path, default=[], metavar='CKPT',
        help='pretrained, of any layout that the converter knows (default: the suite pretrains its own recipes)')
    add('--names', nargs='+', default=[], help='one a checkpoint (default: their file names)')
    add('--baselines', type=lambda text: text.split(','), metavar='A,B',
        help='what others are compared with: scratch (random weights), a recipe of the suite, or NAME=CKPT (default: '
        "scratch; without --checkpoints the suite's)")
    add('--seeds', type=int, help="runs of each task, seeds 0, 1, ... (default: the suite's)")
    add('--tasks', nargs='+', help='only these')
    add('--out', type=Path, help='folder for everything (default: work_dirs/benchmark/SUITE)')
    add('--data', nargs='+', default=[], metavar='NAME=ROOT', help='where data sets are')
    where = parser.add_mutually_exclusive_group()
    where.add_argument('--gpus', type=lambda text: text.split(','), metavar='0,1', help='which (default: all)')
    where.add_argument('--jobs', type=int, help='that many at a time on the CPU (default without a GPU: cores, at most '
                       '4); with --slurm, in its queue')
    add('--gpus-per-job', type=int, default=1, help='processes of one training; batches are shared out (default: 1)')
    add('--slurm', metavar='PARTITION', help='run jobs by tools/slurm_train.sh; SRUN_ARGS is passed on')
    add('--retry-failed', action='store_true', help='run failed jobs again')
    add('--dry-run', action='store_true', help='only the plan and the checks; inits nothing')
    add('--cfg-options', nargs='+', action=Overrides, default={}, help="key=value overrides of the tasks' configs")
    return parser.parse_args()


def data_roots(words):
    """`NAME=ROOT` words as a dict."""
    roots = {}
    for word in words:
        name, given, root = word.partition('=')
        if not given or not root:
            raise UserError(f'--data takes NAME=ROOT, got {word!r}')
        roots[name] = Path(root)
    return roots


def main():
    args = parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill stops the children too
    from mmengine.logging import MMLogger

    from mmssl_geo.benchmark.plan.jobs import choose_inits, choose_tasks
    from mmssl_geo.benchmark.plan.request import Request
    from mmssl_geo.benchmark.plan.suite import load_suite
    from mmssl_geo.benchmark.runner import dry_run, run
    from mmssl_geo.benchmark.run.workers import make_workers, visible_gpus
    MMLogger.get_current_instance().setLevel('WARNING')  # it would name the data root for every config that is read
    suite = load_suite(args.suite)
    workers = make_workers(args.gpus, args.jobs, args.gpus_per_job, args.slurm, visible_gpus(),
                       len(os.sched_getaffinity(0)))
    request = Request(
        suite, choose_tasks(suite, args.tasks), choose_inits(suite, args.checkpoints, args.names, args.baselines),
        suite.seeds if args.seeds is None else args.seeds,
        (args.out or Path('work_dirs') / 'benchmark' / suite.name).absolute(), data_roots(args.data), workers,
        args.cfg_options, args.retry_failed)
    return dry_run(request) if args.dry_run else run(request)


if __name__ == '__main__':
    run_tool(main)
