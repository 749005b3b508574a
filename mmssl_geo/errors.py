"""The one exception type for mistakes that a user can mend."""


class UserError(Exception):
    """A wrong input (a path, an option, a file), said in one sentence with what to do.

    Command-line tools print the sentence without a traceback and exit with 1.
    """


class NonFiniteLossError(UserError):
    """A loss became infinite or NaN; nothing of that step has reached the weights.

    Args:
        names: the losses that are not finite.
    """

    def __init__(self, names):
        super().__init__(
            f'{", ".join(names)} is not finite; the run stops before the weights are touched. The last checkpoint in '
            'the work directory is good: go on from it with --resume, with a lower learning rate '
            '(default_hooks.schedule.learning_rate.base=...), a longer warm-up '
            '(default_hooks.schedule.warmup_epochs=...) or optim_wrapper.dtype=bfloat16')


def first_line_of_worker_error(error):
    """Sentence of a `UserError`, also when a data-loader worker wrapped it in its traceback."""
    text = str(error)
    marker = f'{UserError.__module__}.{UserError.__name__}: '
    return text.rsplit(marker, 1)[-1].strip() if marker in text else text
