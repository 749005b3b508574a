"""Finds the regions of a data set, many images at a time, and writes them into one file."""

import collections
import concurrent.futures
import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mmssl_geo.datasets.image_reading import printable
from mmssl_geo.datasets.regions_file import RegionsFile, write_regions
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.progress import ProgressBar
from mmssl_geo.version import __version__

from .methods import Proposals
from .work_folder import WorkFolder, differences, open_work_folder

Method = Callable[[str], Proposals]
Log = Callable[[str], None]

CHUNK = 256
MAX_LOGGED_PROBLEMS = 20


def make_proposals(
    out: str | os.PathLike,
    names: list[bytes],
    method: Method,
    options: dict[str, Any],
    workers: int = 1,
    restart: bool = False,
    chunk: int = CHUNK,
    log: Log = print,
) -> dict[str, Any]:
    """Writes the proposals file of a data set; a killed run resumes.

    Args:
        out: File to write, ending in `.safetensors`. `OUT.parts/` beside it holds unfinished work.
        names: Image paths relative to their folder, sorted and without duplicates.
        method: Finds the proposals of one image; called from `workers` threads.
        options: JSON values of everything else that the result depends on.
        workers: Number of images processed at the same time.
        restart: Whether to discard unfinished work and an earlier file.
        chunk: Number of images stored together.
        log: Called with a line per image with a problem.

    Returns:
        The statistics stored in the file: `num_images`, `num_regions`, `num_problems`, `num_without`,
        `num_relaxed`, `num_outside`, and `settings`.

    Raises:
        UserError: If `out` has other settings or cannot be written, or no image could be processed.
    """
    settings = dict(options, names=hashlib.sha256(b'\0'.join(names)).hexdigest()[:16], num_images=len(names))
    settings = json.loads(json.dumps(settings))  # as it is read back
    finished = None if restart else _finished(out, settings)
    if finished:
        log(f'{out} is already complete: nothing to do')
        return finished
    chunks = [names[begin : begin + chunk] for begin in range(0, len(names), chunk)]
    with open_work_folder(out, dict(settings, chunk=chunk), restart) as folder:
        todo = [number for number in range(len(chunks)) if folder.load(number) is None]
        already = len(names) - sum(len(chunks[number]) for number in todo)
        if already:
            log(f'{already} of {len(names)} images were done before')
        _run(folder, chunks, todo, method, workers, ProgressBar(len(names), 'images', already), log)
        facts = _write(out, names, folder, len(chunks), settings)
        folder.remove()
    return facts


def _finished(out: str | os.PathLike, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the statistics of a finished file with these settings, or None without a file."""
    if not os.path.lexists(out):
        return None
    facts = RegionsFile(out).facts
    changed = differences(facts['settings'], settings)
    if changed:
        raise UserError(
            f'{out} exists, written with other settings ({changed}): pass another OUT, or --restart to replace it'
        )
    return facts


def _run(
    folder: WorkFolder,
    chunks: list[list[bytes]],
    todo: list[int],
    method: Method,
    workers: int,
    progress: ProgressBar,
    log: Log,
) -> None:
    problems = 0
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    try:
        results = _in_order(pool, method, (os.fsdecode(name) for number in todo for name in chunks[number]), workers)
        for number in todo:
            finished = []
            for name, proposals in itertools.islice(results, len(chunks[number])):
                problems += bool(proposals.problem)
                if proposals.problem and problems <= MAX_LOGGED_PROBLEMS:
                    log(
                        f'no regions for {printable(name)}: {proposals.problem}'
                        + ' (more are not listed)' * (problems == MAX_LOGGED_PROBLEMS)
                    )
                finished.append(proposals)
                progress.set_postfix_str(f'{problems} with a problem' * bool(problems), refresh=False)
                progress.update()
            folder.save(number, finished)
    finally:  # an error or Ctrl-C does not wait for pending calls
        pool.shutdown(cancel_futures=True)
    progress.set_postfix_str(f'{problems} with a problem' * bool(problems), refresh=False)
    progress.close()


def _in_order(
    pool: concurrent.futures.ThreadPoolExecutor, method: Method, names: Iterable[str], workers: int
) -> Iterator[tuple[str, Proposals]]:
    """Yields names and results in order; keeps a few more calls pending than there are workers."""
    pending: collections.deque[tuple[str, concurrent.futures.Future[Proposals]]] = collections.deque()
    for name in names:
        pending.append((name, pool.submit(method, name)))
        if len(pending) >= 4 * workers:
            name, future = pending.popleft()
            yield name, future.result()
    for name, future in pending:
        yield name, future.result()


def _write(
    out: str | os.PathLike, names: list[bytes], folder: WorkFolder, num_chunks: int, settings: dict[str, Any]
) -> dict[str, Any]:
    loaded = [chunk for chunk in map(folder.load, range(num_chunks)) if chunk is not None]
    assert len(loaded) == num_chunks
    arrays, facts = zip(*loaded, strict=True)
    sizes, counts, regions = (np.concatenate([part[key] for part in arrays]) for key in ('sizes', 'counts', 'regions'))
    starts = np.cumsum([0] + [len(part['counts']) for part in arrays])
    problems = {
        os.fsdecode(names[starts[number] + int(row)]): reason
        for number, part in enumerate(facts)
        for row, reason in part['problems'].items()
    }
    if len(problems) == len(names):
        name, reason = next(iter(problems.items()))
        raise UserError(f'none of {len(names)} images could be processed, the first is {printable(name)}: {reason}')
    totals = dict(
        num_images=len(names),
        num_regions=len(regions),
        num_problems=len(problems),
        num_without=int((counts == 0).sum()) - len(problems),
        num_relaxed=sum(part['relaxed'] for part in facts),
        num_outside=sum(part['outside'] for part in facts),
        settings=settings,
        version=__version__,
    )
    write_regions(out, names, sizes, counts, regions, totals)
    listing = Path(f'{os.fspath(out)}.problems.txt')
    listing.unlink(missing_ok=True)
    if problems:
        lines = ''.join(f'{printable(name)}\t{reason}\n' for name, reason in problems.items())
        listing.write_text(lines, encoding='utf-8')
    return totals
