"""Generation of data sets."""

import json
import os
from pathlib import Path

from mmssl_geo.benchmark.plan.jobs import Plan
from mmssl_geo.datatools.scenes import SceneOptions, write_scenes
from mmssl_geo.datatools.scenes.writer import MARKER


def generate_data(plan: Plan) -> None:
    """Generates the data sets for which no root is given, unless they are complete."""
    for data in plan.datasets:
        root = plan.roots[data.name]
        if plan.roots.is_generated(data.name) and data.scenes and not _has_complete_scenes(root):
            print(f'generating {data.name} in {root}', flush=True)
            root.parent.mkdir(parents=True, exist_ok=True)
            workers = len(os.sched_getaffinity(0))
            write_scenes(root, SceneOptions(), data.scenes['num_train'], data.scenes['num_val'], workers)


def _has_complete_scenes(root: Path) -> bool:
    marker = root / MARKER
    return marker.is_file() and json.loads(marker.read_text()).get('complete', False)
