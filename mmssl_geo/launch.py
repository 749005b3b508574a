"""From a config file to a runner, on GPUs or on a CPU, alone or in many processes."""
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner, find_latest_checkpoint

from .convert.checkpoint_io import read_checkpoint
from .errors import UserError


def load_config(path, cfg_options=None, work_dir=None, launcher='none'):
    """Reads a config and the command line's overrides.

    Raises:
        UserError: if the file is missing or cannot be read as a config, or an override does not fit.
    """
    if not Path(path).is_file():
        raise UserError(f'there is no config file {path}')
    try:
        cfg = Config.fromfile(path)
        cfg.merge_from_dict(cfg_options or {})
    except (AttributeError, ImportError, KeyError, OSError, SyntaxError, TypeError, ValueError) as error:
        raise UserError(f'config {path} cannot be used: {type(error).__name__}: {error}') from error
    cfg.launcher = launcher
    cfg.work_dir = work_dir or cfg.get('work_dir') or str(Path('work_dirs') / Path(path).stem)
    return cfg


def build_runner(cfg, resume=None, amp=False, allow_unsafe=False):
    """The runner of a config; nothing has been trained yet.

    Args:
        cfg: a config of `load_config`.
        resume: None, a checkpoint to go on from, or 'auto' for the last one in the work directory.
        amp: mixed precision, for configs that do not ask for it themselves.
        allow_unsafe: let checkpoints run code while they load.

    Raises:
        UserError: if there is nothing to resume from, or the checkpoint is not safe to read.
    """
    if not torch.cuda.is_available():
        _prepare_cpu(cfg)
    if amp:
        _switch_amp_on(cfg)
    if resume:
        cfg.resume, cfg.load_from = True, _checkpoint_to_resume(cfg, resume)
    if cfg.get('load_from') and not allow_unsafe:
        read_checkpoint(cfg.load_from)
    return RUNNERS.build(cfg) if cfg.get('runner_type') else Runner.from_cfg(cfg)


def _prepare_cpu(cfg):
    """Without CUDA: no pinned memory, no synchronised BN; processes talk through gloo, the wrapper names no device."""
    cfg.setdefault('env_cfg', {}).cudnn_benchmark = False
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if cfg.get(loader):
            cfg[loader].pin_memory = False
    cfg.pop('sync_bn', None)  # torch's needs GPUs
    if cfg.launcher == 'none':
        return
    if cfg.launcher != 'pytorch':
        raise UserError(f'launcher {cfg.launcher} needs GPUs; on a CPU use tools/dist_train.sh')
    wrapper = dict(type='MMDistributedDataParallel', broadcast_buffers=False)
    cfg.model_wrapper_cfg = {**wrapper, **(cfg.get('model_wrapper_cfg') or {}), 'device_ids': None}
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo')


def _switch_amp_on(cfg):
    """Makes a plain optimizer wrapper one for mixed precision; where there is no GPU it computes in float32."""
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if 'Amp' in kind:
        return
    names = {
        'OptimWrapper': 'AmpOptimWrapper' if torch.cuda.is_available() else 'OptimWrapper',
        'mmssl_geo.PerTensorClipOptimWrapper': 'mmssl_geo.PerTensorClipAmpOptimWrapper'}
    if kind not in names:
        raise UserError(f'--amp does not know the optimizer wrapper {kind}; set optim_wrapper.type in the config')
    cfg.optim_wrapper.type = names[kind]


def _checkpoint_to_resume(cfg, resume):
    if resume != 'auto':
        return resume
    latest = find_latest_checkpoint(cfg.work_dir)
    if latest is None:
        raise UserError(f'--resume found no checkpoint in {cfg.work_dir}; start without it, or name a checkpoint')
    return latest
