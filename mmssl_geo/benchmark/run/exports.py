"""Exports of checkpoints for the package of a task, and strict loading of the exported weights."""

import json
import time
from contextlib import suppress
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmssl_geo.apis.get_model import spec_differences
from mmssl_geo.benchmark.plan.configs import file_digest
from mmssl_geo.checkpoints import load_source
from mmssl_geo.models.backbones.base import arch_of
from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import write_json
from mmssl_geo.utils.subprocesses import ProcessGroup, run_logged, tool_command


class Exporter:
    """Converts checkpoints with `tools/convert_checkpoint.py`.

    Args:
        folder: Folder of the exported files.
        processes: Starts the converter.
    """

    def __init__(self, folder: Path, processes: ProcessGroup) -> None:
        self.folder = folder
        self.processes = processes

    def path(self, name: str, target: str) -> Path:
        """Returns the path of an exported file.

        Args:
            name: Name of the initialisation or recipe.
            target: Package that the file is for.
        """
        return self.folder / f'{name}_{target}.pth'

    def seconds(self, name: str, target: str) -> float:
        """Returns the time that an export took."""
        return json.loads(self.path(name, target).with_suffix('.json').read_text())['seconds']

    def export(self, source: Path, name: str, target: str) -> Path:
        """Exports a checkpoint, unless that was done before from a file with the same content.

        Args:
            source: Checkpoint of any layout that the converter supports.
            name: Name of the initialisation or recipe.
            target: Package to export for.

        Returns:
            Path of the exported file.

        Raises:
            UserError: If the conversion fails; the message quotes its last line.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(name, target)
        record = path.with_suffix('.json')
        made_from = dict(source=str(source), sha256=file_digest(source))
        before = {}
        with suppress(OSError, ValueError):
            before = json.loads(record.read_text())
        if not path.is_file() or before.get('sha256') != made_from['sha256']:
            start_time = time.time()
            record.unlink(missing_ok=True)
            run_logged(
                tool_command('convert_checkpoint.py', source, path, '--to', target),
                path.with_suffix('.log'),
                env={'CUDA_VISIBLE_DEVICES': ''},
                start=self.processes.start,
            )
            write_json(record, dict(made_from, seconds=round(time.time() - start_time, 1)))
        return path


def load_strictly(cfg: Config, source: Path) -> None:
    """Builds the parts of a task's model that take the checkpoint, and loads it.

    Args:
        cfg: Config of `task_config`, with an exported checkpoint.
        source: Checkpoint that was exported, for the message.

    Raises:
        UserError: If a tensor is missing or does not fit; the message names the differences of the architectures, or
            else the tensors.
    """
    try:
        _load(cfg)
    except UserError as error:
        raise UserError(_architecture_differences(cfg, source) or str(error)) from error


def _architecture_differences(cfg: Config, source: Path) -> str:
    with DefaultScope.overwrite_default_scope('mmssl_geo'):
        net = MODELS.build({**cfg.model.backbone, 'init_cfg': None})
    heads = arch_of(net).get('num_heads')
    try:
        spec = load_source(source, 'teacher').spec
    except UserError:  # the file does not store the number of heads
        spec = load_source(source, 'teacher', heads).spec
    differences = spec_differences(net, spec)
    return f'it holds a {spec.summary}, but the backbone of the task has {differences}' if differences else ''


def _load(cfg: Config) -> None:
    parts = [cfg.model.backbone, (cfg.model.get('roi_head') or {}).get('shared_head') or {}]
    with DefaultScope.overwrite_default_scope('mmssl_geo'):
        for part in parts:
            if (part.get('init_cfg') or {}).get('checkpoint'):
                MODELS.build(part).init_weights()
