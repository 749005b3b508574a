"""Runs a list of things in parallel, one in each worker."""
import datetime
import queue
import time
from concurrent.futures import ThreadPoolExecutor, wait


class ProgressLog:
    """Says what is done, what failed and how long the rest takes.

    Args:
        what: what is counted, such as 'jobs'.
        weights: name -> estimated cost, of all that is to be done now.
        already: how many were done before.
    """

    def __init__(self, what, weights, already=0):
        self.what, self.weights = what, weights
        self.already, self.done, self.failed = already, [], []
        self.began = time.monotonic()

    def add(self, name, note, failed=False):
        """One more has ended."""
        (self.failed if failed else self.done).append(name)
        total, ended = len(self.weights) + self.already, len(self.done) + len(self.failed) + self.already
        print(f'[{ended}/{total} {self.what}{f", {len(self.failed)} failed" if self.failed else ""}'
              f'{self._to_go()}] {name}: {note}', flush=True)

    def _to_go(self):
        ended = sum(self.weights[name] for name in self.done + self.failed)
        seconds = remaining_seconds(ended, sum(self.weights.values()), time.monotonic() - self.began)
        return f', {datetime.timedelta(seconds=round(seconds))} to go' if seconds else ''


def remaining_seconds(ended, total, seconds):
    """Time for the rest at the pace so far; `ended` and `total` in any unit of cost."""
    return (total - ended) * seconds / ended


def run_all(items, workers, run_one, children):
    """Calls `run_one(item, worker)` for every item, each worker with one at a time.

    When this is interrupted, or one of the calls raises, all processes of `children` are stopped and nothing more
    begins.

    Args:
        items: in the order of their turn.
        workers: of `make_workers`.
        run_one: called in threads.
        children: ProcessGroup; what `run_one` starts processes with.
    """
    waiting = queue.SimpleQueue()
    for item in items:
        waiting.put(item)

    def work(worker):
        while not children.stopped:
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                run_one(item, worker)
            except BaseException:
                children.stop()
                raise
    with ThreadPoolExecutor(len(workers)) as pool:
        futures = [pool.submit(work, worker) for worker in workers]
        try:
            wait(futures)
        except BaseException:
            children.stop()
            raise
    for future in futures:
        future.result()
