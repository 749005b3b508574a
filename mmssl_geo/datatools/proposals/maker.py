"""Finds the regions of a whole data set, many images at a time, and writes them into one file."""
import collections
import concurrent.futures
import hashlib
import itertools
import json
import os
from pathlib import Path

import numpy as np

from mmssl_geo.datasets.regions_file import RegionsFile, write_regions
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.progress import ProgressBar
from mmssl_geo.version import __version__

from .work_folder import differences, open_work_folder

CHUNK = 256
NAMED = 20


def make_proposals(out, names, method, options, workers=1, restart=False, chunk=CHUNK, say=print):
    """Writes the proposals file of a data set; what a killed run has finished is not done again.

    Args:
        out: file to write, ending in `.safetensors`. `OUT.parts/` beside it holds unfinished work.
        names: sorted, all different `bytes`: the images, relative to their folder.
        method: `method(name) -> Found`, called from `workers` threads.
        options: json-able dict of all that the result depends on, besides the names.
        workers: images that are worked on at the same time.
        restart: throw unfinished work and an earlier file away.
        chunk: images that are stored together.
        say: takes lines about images with a problem.

    Returns:
        dict: the facts that the file holds too: `num_images`, `num_regions`, `num_problems`, `num_without`,
        `num_relaxed`, `num_outside`, and `settings`.

    Raises:
        UserError: `out` exists or was begun with other settings, cannot be written, or no image could be dealt with.
    """
    settings = dict(options, names=hashlib.sha256(b'\0'.join(names)).hexdigest()[:16], num_images=len(names))
    settings = json.loads(json.dumps(settings))  # as it is read back
    finished = None if restart else _finished(out, settings)
    if finished:
        say(f'{out} is complete already: nothing to do')
        return finished
    chunks = [names[begin:begin + chunk] for begin in range(0, len(names), chunk)]
    with open_work_folder(out, dict(settings, chunk=chunk), restart) as folder:
        todo = [number for number in range(len(chunks)) if folder.load(number) is None]
        already = len(names) - sum(len(chunks[number]) for number in todo)
        if already:
            say(f'{already} of {len(names)} images were done before')
        _run(folder, chunks, todo, method, workers, ProgressBar(len(names), 'images', already), say)
        facts = _write(out, names, folder, len(chunks), settings)
        folder.remove()
    return facts


def _finished(out, settings):
    """Facts of the file if it is there and of these settings."""
    if not os.path.lexists(out):
        return None
    facts = RegionsFile(out).facts
    changed = differences(facts['settings'], settings)
    if changed:
        raise UserError(f'{out} exists, made with other settings ({changed}): give another OUT, '
                        'or --restart to replace it')
    return facts


def _run(folder, chunks, todo, method, workers, progress, say):
    problems = 0
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    try:
        results = _in_order(pool, method, (os.fsdecode(name) for number in todo for name in chunks[number]), workers)
        for number in todo:
            found = []
            for name, one in itertools.islice(results, len(chunks[number])):
                problems += bool(one.problem)
                if one.problem and problems <= NAMED:
                    say(f'no regions for {name}: {one.problem}' + ' (more are not named here)' * (problems == NAMED))
                found.append(one)
                progress.set_postfix_str(f'{problems} with a problem' * bool(problems), refresh=False)
                progress.update()
            folder.save(number, found)
    finally:  # an error or Ctrl-C does not wait for what has not begun
        pool.shutdown(cancel_futures=True)
    progress.set_postfix_str(f'{problems} with a problem' * bool(problems), refresh=False)
    progress.close()


def _in_order(pool, method, names, workers):
    """Pairs of name and result in the names' order, with a few calls more under way than there are workers."""
    pending = collections.deque()
    for name in names:
        pending.append((name, pool.submit(method, name)))
        if len(pending) >= 4 * workers:
            name, future = pending.popleft()
            yield name, future.result()
    for name, future in pending:
        yield name, future.result()


def _write(out, names, folder, num_chunks, settings):
    arrays, facts = zip(*map(folder.load, range(num_chunks)), strict=True)
    sizes, counts, regions = (
        np.concatenate([part[key] for part in arrays]) for key in ('sizes', 'counts', 'regions'))
    starts = np.cumsum([0] + [len(part['counts']) for part in arrays])
    problems = {os.fsdecode(names[starts[number] + int(row)]): reason
                for number, part in enumerate(facts) for row, reason in part['problems'].items()}
    if len(problems) == len(names):
        name, reason = next(iter(problems.items()))
        raise UserError(f'not one of {len(names)} images could be dealt with, the first is {name}: {reason}')
    totals = dict(
        num_images=len(names), num_regions=len(regions), num_problems=len(problems),
        num_without=int((counts == 0).sum()) - len(problems), num_relaxed=sum(part['relaxed'] for part in facts),
        num_outside=sum(part['outside'] for part in facts), settings=settings, version=__version__)
    write_regions(out, names, sizes, counts, regions, totals)
    listing = Path(f'{os.fspath(out)}.problems.txt')
    listing.unlink(missing_ok=True)
    if problems:
        lines = ''.join(f'{name}\t{reason}\n' for name, reason in problems.items())
        listing.write_bytes(lines.encode(errors='surrogateescape'))
    return totals
