"""From nothing to box AP, mask AP and mIoU on embedded scenes; called by tools/quickstart.sh."""
import argparse
from pathlib import Path

from mmssl_geo.utils.cli import run_tool


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/quickstart'), help='folder for all that is made')
    parser.add_argument('--images', type=Path, help='pretrain on the images below this folder instead of the scenes')
    parser.add_argument('--epochs', type=int, help='pretraining epochs (default: the config\'s)')
    return parser.parse_args()


def main():
    args = parse_args()
    from mmssl_geo.benchmark.quickstart import Quickstart, format_table
    from mmssl_geo.visualization.quickstart_picture import draw_quickstart
    options = [f'train_cfg.max_epochs={args.epochs}'] if args.epochs else []
    report = Quickstart(args.out, images=args.images, options=options).run()
    print(f'\n{format_table(report)}\n\nwhole run: {report["total_seconds"] / 60:.1f} minutes; '
          f'numbers: {args.out / "report.json"}')
    print(f'picture: {draw_quickstart(args.out, report)}')


if __name__ == '__main__':
    run_tool(main)
