"""Evaluates a fine-tuned detector, segmenter or classifier: `python tools/test.py CONFIG CHECKPOINT`.

Works for any config of mmdet, mmseg or mmpretrain, on a GPU or a CPU. The checkpoint is read safely and must hold every
tensor of the model.
"""

import argparse
from collections.abc import Mapping
from typing import Any

from mmengine.runner import Runner

from mmssl_geo.apis.config import load_config
from mmssl_geo.apis.config_errors import explain_config_errors
from mmssl_geo.apis.test_time_augmentation import enable_tta
from mmssl_geo.apis.train import create_runner
from mmssl_geo.checkpoints import read_checkpoint
from mmssl_geo.engine.runner_values import unwrapped_model
from mmssl_geo.models.backbones.strict_init import check_weights, stored_weights
from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.config import CfgOptionsAction
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import check_writable, write_json


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='downstream config file')
    parser.add_argument('checkpoint', help='checkpoint of the fine-tuned model')
    parser.add_argument('--work-dir', help='folder for the log (default: work_dirs/<config name>)')
    parser.add_argument('--out', help='write the metrics to this .json file')
    parser.add_argument(
        '--tta', action='store_true', help="test-time augmentation: the config's tta_model and tta_pipeline"
    )
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptionsAction, help='key=value overrides of the config')
    parser.add_argument(
        '--allow-unsafe', action='store_true', help='read a checkpoint that runs code: only a file you trust'
    )
    return parser.parse_args()


def load_weights(runner: Runner, checkpoint: Mapping[str, Any], path: str) -> None:
    """Loads every tensor of the model.

    Raises:
        UserError: If a tensor is missing, unexpected or of another shape.
    """
    model = unwrapped_model(runner)
    check_weights(
        model.state_dict(),
        stored_weights(checkpoint),
        path,
        'model',
        'Give the checkpoint that was fine-tuned with this config (a pretrained backbone cannot be evaluated).',
    )
    runner.call_hook('after_load_checkpoint', checkpoint=checkpoint)  # an EMA hook swaps its weights in
    model.load_state_dict(stored_weights(checkpoint), strict=True)


def main() -> None:
    args = parse_args()
    if args.out is not None and not args.out.endswith('.json'):
        raise UserError(f'--out {args.out}: must end in .json')
    if args.out is not None:
        check_writable(args.out)
    cfg = load_config(args.config, args.cfg_options, work_dir=args.work_dir)
    if cfg.get('test_evaluator') is None:
        raise UserError(f'config {args.config}: has no test_evaluator; tools/test.py evaluates downstream configs')
    cfg.load_from, cfg.resume = None, False
    if args.tta:
        enable_tta(cfg)
    checkpoint = read_checkpoint(args.checkpoint, allow_code=args.allow_unsafe)
    with explain_config_errors(cfg, 'cannot be built'):
        runner = create_runner(cfg)
    load_weights(runner, checkpoint, args.checkpoint)
    with explain_config_errors(cfg, 'cannot be built'):
        _ = runner.test_loop
    metrics = {name: float(value) for name, value in runner.test().items()}
    for name, value in metrics.items():
        print(f'{name:<24} {value:.4f}')
    if args.out is not None:
        write_json(args.out, metrics)


if __name__ == '__main__':
    run_tool(main)
