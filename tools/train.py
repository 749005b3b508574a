"""Trains a config: pretraining with this project's methods, or fine-tuning in mmdet, mmseg or mmpretrain.

    python tools/train.py configs/gtsa_vits16_coco.py --work-dir work_dirs/run --cfg-options train_cfg.max_epochs=10

Initial weights: CHECKPOINT=FILE in the environment loads the backbone, --cfg-options load_from=FILE the whole model.
--resume continues a run.
"""

import argparse
import os

from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.config import CfgOptionsAction
from mmssl_geo.utils.errors import UserError


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints (default: work_dirs/<config name>)')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='resume from this checkpoint; without a path, from the newest one in the work directory',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision (float32 without a GPU)')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate of a config that has auto_scale_lr to the total batch size',
    )
    parser.add_argument(
        '--allow-unsafe', action='store_true', help='read checkpoints that run code: only files you trust'
    )
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptionsAction, help='key=value overrides of the config')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by the launcher')
    args = parser.parse_args()
    # mmengine's runner reads LOCAL_RANK; Open MPI sets another variable
    os.environ.setdefault('LOCAL_RANK', os.environ.get('OMPI_COMM_WORLD_LOCAL_RANK', str(args.local_rank)))
    return args


def main() -> None:
    args = parse_args()
    from mmssl_geo.apis.config import load_config
    from mmssl_geo.apis.train import build_runner, train

    cfg = load_config(args.config, args.cfg_options, work_dir=args.work_dir, launcher=args.launcher)
    if args.auto_scale_lr:
        if 'auto_scale_lr' not in cfg:
            raise UserError(
                f'--auto-scale-lr: {args.config} has no auto_scale_lr (pretraining scales the learning rate itself)'
            )
        cfg.auto_scale_lr.enable = True
    train(build_runner(cfg, resume=args.resume, amp=args.amp, allow_unsafe=args.allow_unsafe))


if __name__ == '__main__':
    run_tool(main)
