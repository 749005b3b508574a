"""The one exception type for mistakes that a user can mend."""


class UserError(Exception):
    """A wrong input (a path, an option, a file), said in one sentence with what to do.

    Command-line tools print the sentence without a traceback and exit with 1.
    """


class NonFiniteLossError(UserError):
    """A loss became infinite or NaN; no checkpoint of that step has been written.

    Args:
        names: the losses that are not finite.
    """
    ADVICE = (
        'The checkpoints in the work directory are from before: go on with --resume from the last one (or the one '
        'before it, if it stops at once again), or start anew, with a lower learning rate, a longer warm-up, gradient '
        'clipping or optim_wrapper.dtype=bfloat16; for pretraining the first two are '
        'default_hooks.schedule.learning_rate.base=... and default_hooks.schedule.warmup_epochs=...')

    def __init__(self, names):
        super().__init__(f'{", ".join(names)} is not finite, the run stops. {self.ADVICE}')


def first_line_of_worker_error(error):
    """Sentence of a `UserError`, also when a data-loader worker wrapped it in its traceback."""
    text = str(error)
    marker = f'{UserError.__module__}.{UserError.__name__}: '
    text = text.rsplit(marker, 1)[-1].strip() if marker in text else text
    return text.removeprefix('error: ')
