"""Pretrains, fine-tunes and evaluates on generated scenes: box AP, mask AP and mIoU. Run by tools/quickstart.sh.

This is the suite of `tools/benchmark.py quick` with one seed and without DINO, plus a figure.
"""

import argparse
import signal
from pathlib import Path

from mmssl_geo.utils.cli import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/quickstart'), help='output folder')
    parser.add_argument('--images', type=Path, help='pretrain on the images below this folder instead of the scenes')
    parser.add_argument('--epochs', type=int, help='pretraining epochs (default: those of the config)')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM also stops the child processes
    from mmengine.logging import MMLogger

    from mmssl_geo.benchmark.quickstart import (
        draw_figure,
        format_table,
        quickstart_plan,
        quickstart_workers,
        run_quickstart,
    )

    MMLogger.get_current_instance().setLevel('WARNING')  # it would log the data root of every config that is read
    plan = quickstart_plan(args.out, args.images, args.epochs)
    report = run_quickstart(plan, quickstart_workers())
    print(
        f'\n{format_table(report)}\n\nwhole run: {report["total_seconds"] / 60:.1f} minutes; '
        f'results: {args.out / "report.json"}'
    )
    print(f'figure: {draw_figure(plan, report)}')


if __name__ == '__main__':
    run_tool(main)
