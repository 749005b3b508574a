"""The scalars that a run has logged."""
import json
from pathlib import Path

import numpy as np

from mmssl_geo.utils.errors import UserError

SCALARS = 'vis_data/scalars.json'


def read_scalars(work_dir):
    """Scalars of the runs in a work directory, joined as one run.

    Each start of mmengine writes `<start time>/vis_data/scalars.json`. Where a resumed run goes over steps of an
    earlier one again, its values replace those (a run started from scratch replaces all).

    Args:
        work_dir: folder that holds the runs' folders, or one run's own folder.

    Returns:
        dict: name -> `(steps, values)`, two arrays of one length, steps ascending; in the order of first appearance.

    Raises:
        UserError: no scalars were logged there, or a file is not mmengine's.
    """
    work_dir = Path(work_dir)
    paths = [work_dir / SCALARS] if (work_dir / SCALARS).is_file() else sorted(work_dir.glob(f'*/{SCALARS}'))
    if not paths:
        raise UserError(f'{work_dir} holds no scalars (*/{SCALARS}): give the work directory of a run that has logged '
                        'at least once with LocalVisBackend')
    joined = {}
    for path in paths:
        for name, points in _read_file(path).items():
            first = points[0][0]
            joined[name] = [point for point in joined.get(name, ()) if point[0] < first] + points
    return {name: tuple(map(np.array, zip(*points, strict=True))) for name, points in joined.items()}


def _read_file(path):
    """Name -> list of `(step, value)`; entries that are no numbers are left out."""
    scalars = {}
    lines = path.read_text(encoding='utf-8').splitlines()
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            step = entry['step']
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                break  # a killed run leaves its last line unfinished
            raise UserError(f'{path}, line {number}: is no line of scalars as mmengine logs them ({error})') from error
        for name, value in entry.items():
            if name != 'step' and isinstance(value, (int, float)):
                scalars.setdefault(name, []).append((step, value))
    return scalars
