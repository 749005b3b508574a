"""Trains a config: pretraining with this project's methods, or fine-tuning in mmdet or mmseg.

    python tools/train.py configs/gtsa_vits16_coco.py --work-dir work_dirs/run --cfg-options train_cfg.max_epochs=10
"""
import argparse
import os

from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.config import CfgOptionsAction
from mmssl_geo.utils.errors import UserError


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='where logs and checkpoints go (default: work_dirs/<config name>)')
    parser.add_argument(
        '--resume', nargs='?', const='auto',
        help='go on from this checkpoint; without a path, from the last one in the work directory')
    parser.add_argument('--amp', action='store_true', help='mixed precision (float32 where there is no GPU)')
    parser.add_argument(
        '--auto-scale-lr', action='store_true',
        help='scale the learning rate of a config that has auto_scale_lr to the total batch')
    parser.add_argument('--allow-unsafe', action='store_true', help='read checkpoints that run code when they load')
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptionsAction, help='key=value overrides of the config')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by the launcher')
    args = parser.parse_args()
    # mmengine's runner asks for it, and Open MPI has a name of its own
    os.environ.setdefault('LOCAL_RANK', os.environ.get('OMPI_COMM_WORLD_LOCAL_RANK', str(args.local_rank)))
    return args


def main():
    args = parse_args()
    from mmssl_geo.apis.train import build_runner, leave_process_group, load_config
    cfg = load_config(args.config, args.cfg_options, work_dir=args.work_dir, launcher=args.launcher)
    if args.auto_scale_lr:
        if 'auto_scale_lr' not in cfg:
            raise UserError(f'--auto-scale-lr: {args.config} has no auto_scale_lr (pretraining scales by itself)')
        cfg.auto_scale_lr.enable = True
    runner = build_runner(cfg, resume=args.resume, amp=args.amp, allow_unsafe=args.allow_unsafe)
    runner.train()
    leave_process_group(runner)


if __name__ == '__main__':
    run_tool(main)
