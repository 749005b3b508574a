"""Exceptions for mistakes that a user can correct."""

from collections.abc import Sequence

DATA_ADVICE = (
    'If it is the data: their folder is set by DATA_ROOT=DIR in the environment (fine-tuning) or '
    '...dataset.data_root=DIR in --cfg-options'
)


class UserError(Exception):
    """A wrong input (a path, an option, a file), described in one sentence that says what to do.

    Command-line tools print the sentence without a traceback and exit with status 1.

    Attributes:
        show_cause: Whether command-line tools print the traceback of `__cause__` too, which may be a bug. Set by
            `mmssl_geo.apis.config_errors`.
    """

    show_cause = False


class NonFiniteLossError(UserError):
    """A loss became infinite or NaN; no checkpoint of that step is written.

    Args:
        names: Names of the losses that are not finite.
    """

    ADVICE = (
        'The checkpoints in the work directory are older: continue with --resume from the last one (from the one '
        'before it if the run stops at once again), or restart with a lower learning rate, a longer warm-up, gradient '
        'clipping or optim_wrapper.dtype=bfloat16; for pretraining the first two are '
        'default_hooks.schedule.learning_rate.base=... and default_hooks.schedule.warmup_epochs=...'
    )

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f'{", ".join(names)} is not finite, the run stops. {self.ADVICE}')


def worker_error_message(error: BaseException) -> str:
    """Returns the message of a `UserError`, also if a worker of a data loader wrapped it in its traceback."""
    text = str(error)
    marker = f'{UserError.__module__}.{UserError.__name__}: '
    text = text.rsplit(marker, 1)[-1].strip() if marker in text else text
    return text.removeprefix('error: ')
