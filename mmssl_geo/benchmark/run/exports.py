"""Checkpoints in the form that a task's package loads, and the proof that they do."""
import json
from contextlib import suppress

from mmengine.registry import DefaultScope
from mmpretrain.models import VisionTransformer

from mmssl_geo.apis.get_model import net_differences
from mmssl_geo.benchmark.plan.configs import file_digest
from mmssl_geo.checkpoints.source import open_source
from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.subprocesses import run_step, tool

from .work_folder import write_json


def export(source, name, target, folder, start):
    """Writes `NAME_TARGET.pth` by `tools/convert_checkpoint.py`, unless it is there, made of the same bytes.

    Args:
        source: checkpoint of any layout that the converter knows.
        name: of the start.
        target: package to write for.
        folder: to write into.
        start: what starts the process: `ProcessGroup.start`.

    Returns:
        Path of the written file.

    Raises:
        UserError: the converter refuses; quotes its last line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, note = folder / f'{name}_{target}.pth', folder / f'{name}_{target}.json'
    made_from = dict(source=str(source), sha256=file_digest(source))
    before = {}
    with suppress(OSError, ValueError):
        before = json.loads(note.read_text())
    if not path.is_file() or before.get('sha256') != made_from['sha256']:
        note.unlink(missing_ok=True)
        run_step(tool('convert_checkpoint.py', source, path, '--to', target), folder / f'{name}_{target}.log',
                 env={'CUDA_VISIBLE_DEVICES': ''}, start=start)
        write_json(note, made_from)
    return path


def load_strictly(cfg, given):
    """Builds the parts of a config's model that take the checkpoint, and loads it.

    Args:
        cfg: of `task_config`, with an exported checkpoint.
        given: what it was exported from, for the message.

    Raises:
        UserError: a tensor is missing or does not fit: says how the nets differ, else names the tensors.
    """
    try:
        _load(cfg)
    except UserError as error:
        raise UserError(_other_net(cfg, given) or str(error)) from error


def _other_net(cfg, given):
    with DefaultScope.overwrite_default_scope('mmssl_geo'):
        net = MODELS.build({**cfg.model.backbone, 'init_cfg': None})
    heads = net.layers[0].attn.num_heads if isinstance(net, VisionTransformer) else None
    try:
        facts = open_source(given, 'teacher').facts
    except UserError:  # it does not tell its heads
        facts = open_source(given, 'teacher', heads).facts
    differing = net_differences(net, facts)
    return differing and f'it holds a {facts.summary}, but the backbone of the task has {differing}'


def _load(cfg):
    parts = [cfg.model.backbone, (cfg.model.get('roi_head') or {}).get('shared_head') or {}]
    with DefaultScope.overwrite_default_scope('mmssl_geo'):
        for part in parts:
            if (part.get('init_cfg') or {}).get('checkpoint'):
                MODELS.build(part).init_weights()
