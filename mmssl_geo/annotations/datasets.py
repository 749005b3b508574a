"""The data sets of a config of mmdet, mmseg or mmpretrain."""

import importlib
import inspect
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmssl_geo.utils.errors import UserError

CLASSIFICATION = 'mmpretrain'


class LabelledDataset:
    """A data set of a config, without the wrappers around it.

    Args:
        cfg: Its config.
        scope: Package whose registry holds its class: 'mmdet', 'mmseg' or 'mmpretrain'.
        split: 'train', 'val' or 'test'.

    Attributes:
        allow_subset: Whether the annotations may have classes that the config leaves out on purpose.

    Raises:
        UserError: If the registry has no such class, or a path is not a string.
    """

    def __init__(self, cfg: Mapping[str, Any], scope: str, split: str) -> None:
        self.cfg = cfg
        self.scope = scope
        self.split = split
        self.allow_subset = False
        name = cfg.get('type')
        kind = importlib.import_module(f'{scope}.registry').DATASETS.get(name) if isinstance(name, str) else name
        if not inspect.isclass(kind):
            raise UserError(f'{split}_dataloader.dataset: {scope} has no data set class {name}')
        self.kind = kind
        self.name = kind.__name__
        self.root = Path(self._path('data_root', cfg.get('data_root')) or '')

    def is_a(self, name: str) -> bool:
        """Returns whether the class or one of its bases has this name."""
        return any(base.__name__ == name for base in self.kind.__mro__)

    def option(self, name: str, default: Any = None) -> Any:  # noqa: ANN401  (a value of a config)
        """Returns an argument of the data set: from the config, or the default of its class or a base."""
        if name in self.cfg:
            return self.cfg[name]
        for base in self.kind.__mro__[:-1]:
            parameters = inspect.signature(base).parameters
            if name in parameters and parameters[name].default is not inspect.Parameter.empty:
                return parameters[name].default
        return default

    @cached_property
    def steps(self) -> list[Mapping[str, Any]]:
        """The steps of the pipeline, also those inside other steps."""
        return list(_steps(self.cfg.get('pipeline') or ()))

    def steps_of(self, *names: str) -> list[Mapping[str, Any]]:
        """Returns the steps of these types, without regard to the scope."""
        return [step for step in self.steps if str(step.get('type')).split('.')[-1] in names]

    @property
    def is_remote(self) -> bool:
        """Whether the files are not on this machine's disks."""
        texts = [str(self.cfg.get('data_root') or ''), str(self.cfg.get('ann_file') or '')]
        return bool(self.cfg.get('backend_args')) or any('://' in text for text in texts)

    @cached_property
    def paths(self) -> dict[str, tuple[Path, str]]:
        """The path and kind ('file' or 'folder') of each path, by its name in the config."""
        prefixes = self.option('data_prefix') or {}
        prefixes = prefixes if isinstance(prefixes, Mapping) else {'img': prefixes}
        paths = {'data_root': (self.root, 'folder')}
        for name, prefix in prefixes.items():
            if prefix is not None:
                paths[name] = self.root / self._path(f'data_prefix.{name}', prefix), 'folder'
        if ann_file := self._path('ann_file', self.cfg.get('ann_file')):
            paths['ann_file'] = self.root / ann_file, 'file'
        return paths

    def path(self, name: str) -> Path:
        """Returns a path of the config.

        Raises:
            UserError: If the config does not set it.
        """
        if name not in self.paths:
            key = name if name in ('data_root', 'ann_file') else f'data_prefix.{name}'
            raise UserError(f'{self.split}_dataloader.dataset of type {self.name} needs {key}')
        return self.paths[name][0]

    @property
    def image_folder(self) -> Path:
        """The folder that the image names of a list, or the folders by class, are relative to."""
        return next((path for name, (path, _) in self.paths.items() if name in ('img', 'img_path')), self.root)

    @property
    def class_folders(self) -> list[str] | None:
        """Names of the folders by class, in the order of mmpretrain's labels; None for other layouts."""
        if self.name != 'CustomDataset' or 'ann_file' in self.paths or not self.option('with_label', True):
            return None
        return sorted(path.name for path in self.image_folder.iterdir() if path.is_dir())

    def missing_paths(self) -> list[str]:
        """Returns one sentence for each path that does not exist, or only that on the data root."""
        problems = []
        for path, kind in self.paths.values():
            if not (path.is_dir() if kind == 'folder' else path.is_file()):
                other = ' (it is a folder)' if kind == 'file' and path.is_dir() else ''
                problems.append(f'{path}: no such {kind}{other}')
        return problems if self.root == Path() or self.root.is_dir() else problems[:1]

    @cached_property
    def built(self) -> Any:  # noqa: ANN401  (a data set of OpenMMLab)
        """The data set itself, without a pipeline."""
        arguments = {name: value for name, value in self.cfg.items() if name != 'type'} | {'pipeline': []}
        parameters = inspect.signature(self.kind).parameters.values()
        if any(one.name == 'serialize_data' or one.kind == one.VAR_KEYWORD for one in parameters):
            arguments['serialize_data'] = False  # saves time
        with DefaultScope.overwrite_default_scope(self.scope):
            return self.kind(**arguments)

    def _path(self, name: str, value: Any) -> str:  # noqa: ANN401  (a value of a config)
        if value is not None and not isinstance(value, str | Path):
            raise UserError(
                f'{self.split}_dataloader.dataset.{name} must be one path, got {value!r}; several data sets are joined '
                'by ConcatDataset'
            )
        return str(value) if value is not None else ''


def datasets_of(cfg: Config, split: str) -> list[LabelledDataset]:
    """Returns the data sets of a split, also those inside wrappers such as ConcatDataset and RepeatDataset.

    Raises:
        UserError: See `LabelledDataset`.
    """
    loader = cfg.get(f'{split}_dataloader')
    dataset = loader.get('dataset') if loader else None
    if dataset is None:
        return []
    if not isinstance(dataset, Mapping):
        raise UserError(
            f'{split}_dataloader.dataset must be the config of one data set, got a {type(dataset).__name__}; several '
            'are joined by ConcatDataset'
        )
    contents = dataset.to_dict() if hasattr(dataset, 'to_dict') else dict(dataset)
    return [LabelledDataset(one, cfg.get('default_scope', 'mmdet'), split) for one in _unwrap(contents)]


def _unwrap(dataset: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    inner = dataset.get('datasets') or ([dataset['dataset']] if 'dataset' in dataset else None)
    return [dataset] if inner is None else [leaf for one in inner for leaf in _unwrap(one)]


def _steps(node: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401  (any value of a config)
    """Returns all configs with a type inside lists and dicts."""
    if isinstance(node, Mapping):
        return ([node] if 'type' in node else []) + [step for value in node.values() for step in _steps(value)]
    return [step for value in node for step in _steps(value)] if isinstance(node, list | tuple) else []
