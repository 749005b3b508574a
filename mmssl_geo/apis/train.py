"""From a config file to a runner, on GPUs or on a CPU, alone or in many processes."""
import difflib
import gc
import os
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmssl_geo.checkpoints import read_checkpoint
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.versions import check_stack

from .resume import checkpoints_newest_first, newest_resumable

# Keys of mmengine's runner that a config need not have and an override may bring.
RUNNER_KEYS = ('auto_scale_lr', 'compile', 'custom_hooks', 'experiment_name', 'load_from', 'log_level', 'log_processor',
               'model_wrapper_cfg', 'param_scheduler', 'randomness', 'resume', 'sync_bn', 'visualizer', 'work_dir')
PACKAGES = {'mmdet': 'mmdet', 'mmseg': 'mmseg', 'mmpretrain': 'mmpretrain', 'mmssl_geo': 'mmpretrain'}
STRICT_PARTS = ('mmssl_geo.SSLVisionTransformer', 'mmssl_geo.SSLResNet', 'mmssl_geo.SSLRes5')
CONFIG_ERRORS = (AssertionError, AttributeError, ImportError, KeyError, OSError, RuntimeError, SyntaxError, TypeError,
                 ValueError, ZeroDivisionError)


def load_config(path, cfg_options=None, work_dir=None, launcher='none'):
    """Reads a config and the command line's overrides.

    Raises:
        UserError: if the file is missing or cannot be read as a config, an override does not fit, or a package that
            the config needs is missing or too old.
    """
    if not Path(path).is_file():
        raise UserError(f'there is no config file {path}')
    try:
        cfg = Config.fromfile(path)
        _override(cfg, cfg_options or {})
        package = PACKAGES.get(cfg.get('default_scope'))
        check_stack(required=(package,) if package else ())
    except CONFIG_ERRORS as error:
        raise UserError(f'config {path} cannot be used: {_sentence(error)}') from error
    cfg.launcher = launcher
    cfg.work_dir = str(work_dir or cfg.get('work_dir') or Path('work_dirs') / Path(path).stem)
    return cfg


def _override(cfg, cfg_options):
    for key in cfg_options:
        first = key.split('.')[0]
        if first not in cfg and first not in RUNNER_KEYS:
            near = difflib.get_close_matches(first, [*cfg.keys(), *RUNNER_KEYS], n=1)
            raise UserError(f'--cfg-options {key}: the config has no {first}' + (f'; {near[0]}?' if near else ''))
    try:
        cfg.merge_from_dict(cfg_options)
    except CONFIG_ERRORS as error:
        raise UserError(f'--cfg-options does not fit {cfg.filename}: {_sentence(error)}') from error


def build_runner(cfg, resume=None, amp=False, allow_unsafe=False):
    """The runner of a config, with model, data and optimizer built; nothing has been trained yet.

    Args:
        cfg: a config of `load_config`.
        resume: None, a checkpoint to go on from, or 'auto' for the last one in the work directory.
        amp: mixed precision, for configs that do not ask for it themselves.
        allow_unsafe: let checkpoints run code while they load.

    Raises:
        UserError: if there is nothing to resume from, a checkpoint is not safe to read, more processes than GPUs were
            started, or a part cannot be built.
    """
    if resume:
        cfg.resume, cfg.load_from = True, _checkpoint_to_resume(cfg, resume, allow_unsafe)
    if cfg.get('load_from') and not allow_unsafe:
        _read_or_name_others(cfg)
    if allow_unsafe:
        _allow_code(cfg)
    if torch.cuda.is_available():
        _check_enough_gpus()
    else:
        _prepare_cpu(cfg)
    if amp:
        _switch_amp_on(cfg)
    return build_or_explain(cfg, _build_all)


def _check_enough_gpus():
    """torch's own error is `invalid device ordinal`, once for every process too many."""
    processes, gpus = int(os.environ.get('LOCAL_WORLD_SIZE', 1)), torch.cuda.device_count()
    if processes > gpus:
        raise UserError(f'{processes} processes were started on this machine, which has {gpus} GPUs: start one for '
                        'each (the number after the config in tools/dist_train.sh; CUDA_VISIBLE_DEVICES hides GPUs)')


def build_or_explain(cfg, build):
    """`build(cfg)`; what a config's mistakes raise there becomes one sentence.

    Raises:
        UserError: names the config and the first line of the reason; the original error is its cause.
    """
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if cfg.get(loader) and cfg[loader].get('num_workers') == 0:
            cfg[loader].persistent_workers = False  # torch refuses to keep workers that are not there
    try:
        return build(cfg)
    except FileNotFoundError as error:
        raise UserError(
            f'config {cfg.filename}: {_sentence(error)}. If it is the data: their folder is set by DATA_ROOT=DIR in '
            'the environment (fine-tuning) or ...dataset.data_root=DIR in --cfg-options') from error
    except CONFIG_ERRORS as error:
        raise UserError(f'config {cfg.filename} cannot be built: {_sentence(error)}') from error


def _build_all(cfg):
    runner = RUNNERS.build(cfg) if cfg.get('runner_type') else Runner.from_cfg(cfg)
    runner.train_loop  # noqa: B018  (building the data here turns their mistakes into one sentence)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    return runner


def _sentence(error):
    if isinstance(error, UserError):
        return str(error)
    lines = str(error).strip().splitlines() or ['']
    return f'{type(error).__name__}: {lines[0]}'


def _allow_code(cfg):
    if cfg.get('default_hooks', {}).get('strict_load'):
        cfg.default_hooks.strict_load.allow_code = True
    for part in (cfg.model.get('backbone', {}), (cfg.model.get('roi_head') or {}).get('shared_head') or {}):
        if part.get('type') in STRICT_PARTS and part.get('init_cfg'):
            part.init_cfg.allow_code = True


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
    """Makes a plain optimizer wrapper one for mixed precision; on a CPU only bfloat16 is one."""
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if 'Amp' in kind:
        return
    names = {
        'OptimWrapper': 'mmssl_geo.AmpOptimWrapper',
        'mmssl_geo.PerTensorClipOptimWrapper': 'mmssl_geo.PerTensorClipAmpOptimWrapper'}
    if kind not in names:
        raise UserError(f'--amp does not know the optimizer wrapper {kind}; set optim_wrapper.type in the config')
    cfg.optim_wrapper.type = names[kind]


def _checkpoint_to_resume(cfg, resume, allow_unsafe=False):
    if resume != 'auto':
        return resume
    path, passed_over = newest_resumable(cfg.work_dir, allow_unsafe)
    if path is not None:
        return path
    raise UserError(f'--resume found no checkpoint in {cfg.work_dir}; start without it, or name a checkpoint'
                    + (f'. Passed over: {"; ".join(passed_over)}' if passed_over else ''))


def _read_or_name_others(cfg):
    """Reads `load_from` safely once, before mmengine does."""
    try:
        read_checkpoint(cfg.load_from)
    except UserError as error:
        others = [str(path) for path in checkpoints_newest_first(cfg.work_dir) if str(path) != str(cfg.load_from)]
        hint = f'. Other checkpoints, newest first: {", ".join(others[:3])}' if others else ''
        raise UserError(f'{error}{hint}') from error


def leave_process_group(runner):
    """Ends a run of several processes: waits for all of them, then closes what connects them.

    A process that just ended, while another still writes the last checkpoint, may abort in the destructors of its
    connections, and the launcher would kill the others.

    Args:
        runner: the runner, done; it has no model afterwards, because the model's wrapper holds the connections too.
    """
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        runner.model = None
        gc.collect()
        torch.distributed.destroy_process_group()
