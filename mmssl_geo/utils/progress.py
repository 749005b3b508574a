"""One line that says how far a long job is, at which rate, and how long it still takes."""
import datetime
import sys
import time


class Progress:
    """Counts what is done and says so on stderr: a line that renews itself on a terminal, else a new one at times.

    Args:
        total: how many there are; None: unknown.
        unit: what they are, such as 'images'.
        already: how many were done before; they count as done, but not in the rate.
    """

    def __init__(self, total, unit, already=0):
        self.total = total
        self.unit = unit
        self.done = self.already = already
        self.renewing = sys.stderr.isatty()
        self.every = 0.5 if self.renewing else 30.
        self.began = self.shown = time.monotonic()

    def add(self, count=1, note=''):
        """Counts `count` more; `note` stands at the end of the line."""
        self.done += count
        if time.monotonic() - self.shown >= self.every:
            self._show(note)

    def finish(self, note=''):
        """Shows the last state, and ends the line."""
        self._show(note)
        if self.renewing:
            print(file=sys.stderr)

    def _show(self, note):
        self.shown = time.monotonic()
        line = progress_line(self.done, self.total, self.unit, self.done - self.already, self.shown - self.began, note)
        # a line that renews itself has to cover the one before
        print(f'\r{line:<100}' if self.renewing else line, end='' if self.renewing else '\n', file=sys.stderr,
              flush=True)


def progress_line(done, total, unit, fresh, seconds, note=''):
    """'1200/5000 images, 40.0 a second, 0:01:35 to go, NOTE'.

    Args:
        done: how many of all.
        total: how many there are, or None.
        unit: what they are.
        fresh: how many of those done took `seconds`.
        seconds: since the beginning.
        note: what else there is to say.
    """
    rate = fresh / seconds if seconds > 0 else 0.
    parts = [f'{done}/{total} {unit}' if total is not None else f'{done} {unit}', f'{rate:.1f} a second']
    if total is not None and rate > 0 and done < total:
        parts.append(f'{datetime.timedelta(seconds=round((total - done) / rate))} to go')
    return ', '.join(parts + [note] * bool(note))
