"""The shipped config's optimizer wrapper."""
from mmengine.optim import build_optim_wrapper


def build_wrapper(cfg, model, max_norm):
    """The config's constructor, optimizer and clipping around a model's parameters.

    Mixed precision is left out, float64 has no use for it; the clipping is the same code with and without.
    """
    settings = {**cfg.optim_wrapper, 'type': cfg.optim_wrapper.type.replace('Amp', '')}
    settings.pop('dtype', None)
    settings['clip_grad'] = {**settings['clip_grad'], 'max_norm': max_norm}
    return build_optim_wrapper(model, settings)
