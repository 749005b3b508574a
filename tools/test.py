"""Evaluates a fine-tuned detector, segmenter or classifier: `python tools/test.py CONFIG CHECKPOINT`.

Works for any config of mmdet, mmseg or mmpretrain, on a GPU or a CPU. The checkpoint is read safely and must hold every
tensor of the model.
"""

import argparse
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from mmssl_geo.apis.config import load_config
from mmssl_geo.apis.config_errors import explain_config_errors
from mmssl_geo.apis.train import create_runner
from mmssl_geo.checkpoints import read_checkpoint
from mmssl_geo.engine.runner_values import unwrapped_model
from mmssl_geo.models.backbones.strict_init import check_weights, stored_weights
from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.config import CfgOptionsAction
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import write_json


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='downstream config file')
    parser.add_argument('checkpoint', help='checkpoint of the fine-tuned model')
    parser.add_argument('--work-dir', help='folder for the log (default: work_dirs/<config name>)')
    parser.add_argument('--out', help='write the metrics to this .json file')
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptionsAction, help='key=value overrides of the config')
    parser.add_argument(
        '--allow-unsafe', action='store_true', help='read a checkpoint that runs code: only a file you trust'
    )
    parser.add_argument(
        '--tta', action='store_true', help='test-time augmentation of a config with tta_model and tta_pipeline (mmseg)'
    )
    return parser.parse_args()


def load_weights(runner: Runner, checkpoint: Mapping[str, Any], path: str) -> None:
    """Loads every tensor of the model.

    Raises:
        UserError: If a tensor is missing, unexpected or of another shape.
    """
    check_weights(
        unwrapped_model(runner).state_dict(),
        stored_weights(checkpoint),
        path,
        'model',
        'Give the checkpoint that was fine-tuned with this config (a pretrained backbone cannot be evaluated).',
    )
    runner.call_hook('after_load_checkpoint', checkpoint=checkpoint)  # an EMA hook swaps its weights in
    unwrapped_model(runner).load_state_dict(stored_weights(checkpoint), strict=True)


def use_test_time_augmentation(cfg: Config, name: str) -> None:
    """Wraps the model in the config's `tta_model` and replaces the pipeline, as mmseg's own tool does.

    Raises:
        UserError: If the config has no test-time augmentation.
    """
    missing = [key for key in ('tta_model', 'tta_pipeline') if key not in cfg]
    if missing:
        raise UserError(f'--tta: config {name} has no {" and no ".join(missing)}; the segmentation configs have both')
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
    cfg.model = {**cfg.tta_model, 'module': cfg.model}


def main() -> None:
    args = parse_args()
    if args.out is not None and not args.out.endswith('.json'):
        raise UserError(f'--out {args.out}: must end in .json')
    cfg = load_config(args.config, args.cfg_options, work_dir=args.work_dir)
    if cfg.get('test_evaluator') is None:
        raise UserError(f'config {args.config}: has no test_evaluator; tools/test.py evaluates downstream configs')
    cfg.load_from, cfg.resume = None, False
    if args.tta:
        use_test_time_augmentation(cfg, args.config)
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
