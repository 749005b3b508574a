"""Training of a config, on GPUs or on a CPU, in one or many processes."""

import gc
import os
import sys

import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmssl_geo.checkpoints import read_checkpoint
from mmssl_geo.engine.checkpoint_loading import install_safe_loaders
from mmssl_geo.engine.runner import RemovableHooksRunner
from mmssl_geo.utils.errors import UserError

from .config import LOADERS, adapt_loaders
from .config_errors import explain_config_errors
from .resume import checkpoints_newest_first, find_checkpoint

STRICT_BACKBONES = ('mmssl_geo.SSLVisionTransformer', 'mmssl_geo.SSLResNet', 'mmssl_geo.SSLRes5')
"""Classes whose `init_cfg` has the option `allow_code`."""


def build_runner(cfg: Config, resume: str | None = None, amp: bool = False, allow_unsafe: bool = False) -> Runner:
    """Builds the runner of a config with its model, data and optimizer.

    Args:
        cfg: Config from `load_config`; is changed in place.
        resume: Checkpoint to resume from, or 'auto' for the newest one in the work directory.
        amp: Whether to use mixed precision in configs that do not.
        allow_unsafe: Whether checkpoints may run code while they load.

    Raises:
        UserError: If there is nothing to resume from, weights are named twice, a checkpoint is not safe to read, more
            processes than GPUs were started, or a part cannot be built.
    """
    install_safe_loaders(allow_unsafe)
    _check_initial_weights(cfg, resume)
    if resume:
        cfg.resume, cfg.load_from = True, find_checkpoint(resume, cfg.work_dir, allow_unsafe)
    if cfg.get('load_from') and not allow_unsafe:
        _check_load_from(cfg)
    if allow_unsafe:
        _allow_code(cfg)
    if torch.cuda.is_available():
        _check_enough_gpus()
    else:
        _prepare_cpu(cfg)
    if amp:
        _enable_amp(cfg)
    adapt_loaders(cfg)
    with explain_config_errors(cfg, 'cannot be built'):
        runner = create_runner(cfg)
        _ = runner.train_loop  # built here, so that mistakes in the data config are found before training
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    return runner


def create_runner(cfg: Config) -> Runner:
    """Creates the runner that a config names, or one that accepts None for any hook."""
    return RUNNERS.build(cfg) if cfg.get('runner_type') else RemovableHooksRunner.from_cfg(cfg)


def train(runner: Runner) -> None:
    """Trains and closes the connections between the processes.

    Raises:
        UserError: If the training fails. Its cause is the exception.
    """
    with explain_config_errors(runner.cfg, 'failed in training'):
        runner.train()
    leave_process_group(runner)


def leave_process_group(runner: Runner) -> None:
    """Waits for all processes of a finished run, then closes the connections between them.

    A process that ends while another one still writes the last checkpoint may abort in the destructors of its
    connections, and the launcher would kill the others.

    Args:
        runner: Finished runner. Loses its model, because the model's wrapper holds connections too.
    """
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        runner.model = None
        gc.collect()
        torch.distributed.destroy_process_group()


def _check_initial_weights(cfg: Config, resume: str | None) -> None:
    """Refuses CHECKPOINT beside `load_from`; a resumed run replaces its weights."""
    checkpoint = os.environ.get('CHECKPOINT')
    if not checkpoint:
        return
    if resume or cfg.get('resume'):
        print(f'--resume restores all weights, so CHECKPOINT={checkpoint} has no effect', file=sys.stderr)
        for part in _strict_parts(cfg):
            part.init_cfg = None  # the file may be gone by now
    elif cfg.get('load_from'):
        raise UserError(
            f'CHECKPOINT={checkpoint} and load_from={cfg.load_from} both give initial weights: unset CHECKPOINT '
            '(backbone only), or remove load_from (the whole model)'
        )


def _check_load_from(cfg: Config) -> None:
    """Reads `load_from` safely, before mmengine reads it."""
    try:
        read_checkpoint(cfg.load_from)
    except UserError as error:
        others = [str(path) for path in checkpoints_newest_first(cfg.work_dir) if str(path) != str(cfg.load_from)]
        hint = f'. Other checkpoints, newest first: {", ".join(others[:3])}' if others else ''
        raise UserError(f'{error}{hint}') from error


def _allow_code(cfg: Config) -> None:
    if cfg.get('default_hooks', {}).get('strict_load'):
        cfg.default_hooks.strict_load.allow_code = True
    for part in _strict_parts(cfg):
        part.init_cfg.allow_code = True


def _strict_parts(cfg: Config) -> list[ConfigDict]:
    """Returns the configs of the parts that load `init_cfg` strictly and have one."""
    parts = (cfg.model.get('backbone'), (cfg.model.get('roi_head') or {}).get('shared_head'))
    return [part for part in parts if part and part.get('type') in STRICT_BACKBONES and part.get('init_cfg')]


def _check_enough_gpus() -> None:
    """Replaces torch's `invalid device ordinal`, which each superfluous process would report."""
    processes, gpus = int(os.environ.get('LOCAL_WORLD_SIZE', 1)), torch.cuda.device_count()
    if processes > gpus:
        raise UserError(
            f'{processes} processes were started on this machine, which has {gpus} GPUs: start one for each (the '
            'number after the config in tools/dist_train.sh; CUDA_VISIBLE_DEVICES hides GPUs)'
        )


def _prepare_cpu(cfg: Config) -> None:
    """Changes what needs GPUs: pinned memory, synchronised BN, NCCL and the devices of the model wrapper."""
    cfg.setdefault('env_cfg', {}).cudnn_benchmark = False
    for loader in LOADERS:
        if cfg.get(loader):
            cfg[loader].pin_memory = False
    cfg.pop('sync_bn', None)
    if cfg.launcher == 'none':
        return
    if cfg.launcher != 'pytorch':
        raise UserError(f'launcher {cfg.launcher} needs GPUs; on a CPU use tools/dist_train.sh')
    wrapper = dict(type='MMDistributedDataParallel', broadcast_buffers=False)
    cfg.model_wrapper_cfg = {**wrapper, **(cfg.get('model_wrapper_cfg') or {}), 'device_ids': None}
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo')


def _enable_amp(cfg: Config) -> None:
    """Replaces the optimizer wrapper by that for mixed precision; on a CPU it only supports bfloat16."""
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if 'Amp' in kind:
        return
    names = {
        'OptimWrapper': 'mmssl_geo.AmpOptimWrapper',
        'mmssl_geo.PerTensorClipOptimWrapper': 'mmssl_geo.PerTensorClipAmpOptimWrapper',
    }
    if kind not in names:
        raise UserError(f'--amp does not support the optimizer wrapper {kind}; set optim_wrapper.type in the config')
    cfg.optim_wrapper.type = names[kind]
