"""Values of options that are impossible, misspelt or just allowed, each with the message that they must give."""

from dataclasses import dataclass

NUMBER = 'must be a number'
COUNT = 'must be a (positive )?whole number'
ODD = ('lots', [1], True, float('nan'))
"""Values that are no number: text, a list, a bool, NaN."""


@dataclass(frozen=True)
class Option:
    """An override `key=value` of a config; `expected` is a pattern of the message, or None if it must be accepted."""

    config: str
    key: str
    value: object
    expected: str | None


def _refused(config, key, values, kind):
    name = key.split('.')[-1]
    return [Option(config, key, value, f'{name}.*{kind}') for value in values]


def _accepted(config, key, values):
    return [Option(config, key, value, None) for value in values]


def schedule_options():
    hook = 'default_hooks.schedule'
    for config in ('gtsa', 'd3ssl'):
        yield from _refused(config, f'{hook}.learning_rate.base', (-1, '1e-3x', *ODD), NUMBER)
        yield from _accepted(config, f'{hook}.learning_rate.base', (0, 1, 1e-9))
    yield from _refused('gtsa', f'{hook}.learning_rate.end', (-1e-9, None), NUMBER)
    yield from _refused('gtsa', f'{hook}.learning_rate.batch', (0, -256, 'x', 2.5), COUNT)
    yield from _accepted('gtsa', f'{hook}.learning_rate.batch', (None, 1))
    for key in ('learning_rate.bas', 'weight_decay.begin', 'learning_rate.bach'):
        yield Option('gtsa', f'{hook}.{key}', 3, 'has the unknown key')
    yield Option('gtsa', f'{hook}.warmup', 3, 'has no such argument|unexpected keyword')
    yield from _refused('gtsa', f'{hook}.warmup_epochs', (-1, 'two', float('inf')), NUMBER)
    yield from _accepted('gtsa', f'{hook}.warmup_epochs', (0, 0.5))
    yield from _refused('gtsa', f'{hook}.weight_decay.start', (-0.1, 'x'), NUMBER)
    yield from _refused('gtsa', 'default_hooks.teacher_update.momentum.start', (-0.1, 1.1, 'x', True), NUMBER)
    yield from _refused('gtsa', 'default_hooks.teacher_update.momentum.end', (2,), NUMBER)
    yield from _accepted('gtsa', 'default_hooks.teacher_update.momentum.start', (0, 1))
    yield Option('gtsa', 'default_hooks.teacher_update.momentum.begin', 0.9, 'has the unknown key begin')
    yield from _refused('dino', 'default_hooks.teacher_temperature.start', (0, -1, 'x'), NUMBER)
    yield from _refused('dino', 'default_hooks.teacher_temperature.warmup_epochs', (-1, 2.5), COUNT)
    yield from _refused('dino', 'default_hooks.freeze_last_layer.epochs', (-1, 'x', 1.5), COUNT)


def run_options():
    yield from _refused('gtsa', 'train_cfg.max_epochs', (0, -1, 1.5, 'x'), COUNT)
    yield from _refused('gtsa', 'train_dataloader.batch_size', (0, -2, 2.5, 'x'), COUNT)
    yield from _refused('gtsa', 'train_dataloader.num_workers', (-1, 'x'), COUNT)
    yield from _refused('gtsa', 'optim_wrapper.accumulative_counts', (0, -1, 'x'), COUNT)
    yield from _refused('gtsa', 'optim_wrapper.clip_grad.max_norm', (0, -3, 'x', float('nan')), NUMBER)
    yield from _accepted('gtsa', 'optim_wrapper.clip_grad.max_norm', (1e-6, 5))
    yield Option('gtsa', 'optim_wrapper.clip_grad', 3, 'clip_grad must be a dict')
    yield from _refused('gtsa', 'optim_wrapper.optimizer.betas', ([1.5, 0.9], [-1, 0.9]), NUMBER)
    yield from _refused('gtsa', 'optim_wrapper.optimizer.eps', (-1,), NUMBER)
    yield Option('gtsa', 'optim_wrapper.optimizer.beta', 1, "unexpected keyword argument 'beta'")
    yield Option('gtsa', 'optim_wrapper.dtype', 'float8', 'dtype must be one of')
    for hook in ('checkpoint', 'logger', 'collapse_monitor', 'throughput'):
        yield from _refused('gtsa', f'default_hooks.{hook}.interval', (0, -2, 1.5, 'x'), COUNT)
        yield Option('gtsa', f'default_hooks.{hook}.intervall', 1, 'has no such argument|unexpected keyword')
    yield from _accepted('gtsa', 'default_hooks.checkpoint.interval', (-1, 3))
    yield from _accepted('gtsa', 'default_hooks.checkpoint.max_keep_ckpts', (-1, 1))
    yield from _refused('gtsa', 'default_hooks.checkpoint.max_keep_ckpts', (0, 'x'), COUNT)
    yield from _refused('gtsa', 'default_hooks.collapse_monitor.num_images', (0, 'x'), COUNT)
    yield from _refused('gtsa', 'default_hooks.throughput.max_wait_fraction', (-0.1, 1.1), NUMBER)
    yield from _refused('gtsa', 'default_hooks.unreadable_images.max_unreadable', ('lots', -1, 2), NUMBER)
    yield from _refused('gtsa', 'randomness.seed', (-1, 'x', 1.5), COUNT)
    for name in ('throughput', 'collapse_monitor', 'logger', 'checkpoint', 'timer'):
        yield Option('gtsa', f'default_hooks.{name}', None, None)
    yield Option('gtsa', 'default_hooks.throughputt', None, 'has no hook throughputt')
    yield Option('gtsa', 'default_hooks', 3, 'default_hooks must be a dict')
    yield Option('gtsa', 'trian_cfg.max_epochs', 3, 'the config has no trian_cfg')


def data_options():
    data = 'train_dataloader.dataset'
    yield from _refused('gtsa', f'{data}.max_unreadable', ('lots', -0.1, 1.1, None), NUMBER)
    yield from _accepted('gtsa', f'{data}.max_unreadable', (0, 1))
    yield from _refused('gtsa', f'{data}.max_pixels', (0, 'x', 1.5), COUNT)
    yield from _refused('gtsa', f'{data}.seed', (-1, 'x'), COUNT)
    yield Option('gtsa', f'{data}.max_unreadabel', 0.5, "unexpected keyword argument 'max_unreadabel'")
    crop = f'{data}.pipeline.crop'
    for key, values in dict(global_size=(0, 'x', 2.5), local_size=(0, -1), num_local=(-1, 'x')).items():
        yield from _refused('gtsa', f'{crop}.{key}', values, 'whole number|such crops|Type|crops')
    for key, values in dict(global_scale=([0.5, 0.3], [0.3], 'x', [0, 1.5]), ratio=([2, 1], [0, 1])).items():
        yield from (Option('gtsa', f'{crop}.{key}', value, 'MultiCrop cannot make such crops') for value in values)
    yield from (Option('gtsa', f'{crop}.min_overlap', value, 'MultiCrop cannot make') for value in (-1, 2, 'x'))
    yield Option('gtsa', f'{crop}.interpolation', 'cubic', 'interpolation must be')
    photometric = f'{data}.pipeline.photometric'
    yield from _refused('gtsa', f'{photometric}.hue', (0.9, -0.1, 'x'), NUMBER)
    yield from _accepted('gtsa', f'{photometric}.hue', (0, 0.5))
    yield from _refused('gtsa', f'{photometric}.brightness', (-0.1, 'x'), NUMBER)
    yield from _refused('gtsa', f'{photometric}.blur_sigma', ([2, 1], [0, 1], 3), 'two numbers')
    yield from _refused('gtsa', f'{photometric}.blur_prob', (1.5, -1, 'x'), 'probabilities')
    yield Option('gtsa', f'{photometric}.where', 'gpu', 'where must be one of')
    views = f'{data}.pipeline.views'
    for key, values in dict(size=(0, 'x'), num_regions=(0, 1.5), max_draws=(0,)).items():
        yield from _refused('d3ssl', f'{views}.{key}', values, 'whole number')
    for key, values in dict(flip_prob=(-1, 2, 'x'), jitter=(-1, 'x'), max_aspect=(0.5, 'x')).items():
        yield from _refused('d3ssl', f'{views}.{key}', values, NUMBER)


def model_options():
    yield Option('gtsa', 'model.backbone.arch.num_heads', 5, 'not a multiple of num_heads=5')
    for key, values in dict(num_heads=(0, 'x', 1.5), embed_dims=(0, -4), num_layers=(0, 'x')).items():
        yield from _refused('gtsa', f'model.backbone.arch.{key}', values, COUNT)
    yield Option('gtsa', 'model.backbone.arch.heads', 3, 'unknown key heads')
    yield from _refused('gtsa', 'model.backbone.patch_size', (0, 'x'), COUNT)
    yield from _refused('gtsa', 'model.backbone.drop_path_rate', (-0.1, 1.1, 'x'), NUMBER)
    yield from _refused('gtsa', 'model.neck.out_channels', (0, -1, 'x', 1.5), COUNT)
    yield from _refused('gtsa', 'model.neck.hidden_channels', (0, 'x'), COUNT)
    yield from _refused('gtsa', 'model.neck.num_blocks', (-1, 'x'), COUNT)
    yield from _refused('gtsa', 'model.head.predictor.out_channels', (0, 'x'), COUNT)
    yield from _refused('gtsa', 'model.head.rotation_head.hidden_channels', ([0, 8, 8], [8, 8], 8), 'whole numbers?')
    yield from _refused('gtsa', 'model.head.correspondence_weight', (-1, 'x', float('nan')), NUMBER)
    yield from _refused('gtsa', 'model.head.rotation_weight', (-1,), NUMBER)
    yield from _accepted('gtsa', 'model.head.rotation_weight', (0,))
    yield from _refused('gtsa', 'model.head.correspondence_loss.match_share', (0, 1.1, 'x'), NUMBER)
    yield Option('gtsa', 'model.head.rotation_targets', 'turn', 'rotation_targets must be')
    yield Option('gtsa', 'model.type', 'GTSAA', 'GTSAA')
    yield from _refused('gtsa', 'model.data_preprocessor.std', ([1, 1, 0], [1, 1], 'x'), f'{NUMBER}|three numbers')
    yield from _refused('dino', 'model.neck.num_prototypes', (0, 'x'), 'whole number')
    yield from _refused('dino', 'model.head.center_momentum', (-0.1, 1.1, 'x'), NUMBER)
    yield from _refused('dino', 'model.head.loss.student_temperature', (0, -1, 'x'), NUMBER)
    yield from _refused('d3ssl', 'model.neck.hidden_channels', (0, 'x'), COUNT)
    yield from _refused('d3ssl', 'model.head.dc_weight', (-1, 'x'), NUMBER)
    yield Option('d3ssl', 'model.teacher_x1', 'dirty', 'teacher_x1 must be')


def all_options():
    """Returns all options."""
    return [*schedule_options(), *run_options(), *data_options(), *model_options()]
