"""Progress bars."""

import sys

from tqdm import tqdm

TERMINAL_SECONDS, LOG_SECONDS = 0.5, 30.0


class ProgressBar(tqdm):
    """A progress bar of tqdm on stderr: one line on a terminal, else a new line every 30 seconds and at the end.

    Call `update(n)`, `set_postfix_str(note, refresh=False)`, and `close()` or use it as a context manager.

    Args:
        total: Number of items; None if unknown.
        unit: What the items are, such as 'images'.
        initial: Number of items that were finished before. They count as done but not in the rate.
    """

    monitor_interval = 0  # no thread, which forked workers of data loaders would inherit

    def __init__(self, total: int | None, unit: str, initial: int = 0) -> None:
        is_terminal = sys.stderr.isatty()
        super().__init__(
            total=total,
            unit=f' {unit}',
            initial=initial,
            file=sys.stderr if is_terminal else _Lines(),
            mininterval=TERMINAL_SECONDS if is_terminal else LOG_SECONDS,
            miniters=1,
            dynamic_ncols=is_terminal,
        )


class _Lines:
    """Text stream on stderr that turns tqdm's updates of one line into separate lines."""

    def __init__(self) -> None:
        self.last_line = ''

    def write(self, text: str) -> None:
        line = text.strip()
        if line and line != self.last_line:
            sys.stderr.write(f'{line}\n')
            self.last_line = line

    def flush(self) -> None:
        sys.stderr.flush()
