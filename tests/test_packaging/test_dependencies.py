"""Everything that is imported is declared, or optional with a clear message."""

import ast
import importlib.metadata
import re
import sys

import pytest

from tests.support import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OPENMMLAB = {'mmcv', 'mmdet', 'mmengine', 'mmpretrain', 'mmseg'}  # left to the user, see pyproject.toml
MODULES = {'opencv-python': 'cv2', 'pillow': 'PIL'}  # distribution -> module, where the names differ
LOCAL = {'mmssl_geo'} | {path.stem for path in (ROOT / 'tools' / 'speed').glob('*.py')}


def project():
    return tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']


def modules_of(requirements):
    names = [re.split(r'[<>=\[]', requirement)[0] for requirement in requirements]
    return {MODULES.get(name, name) for name in names}


def imports():
    """Pairs of a top-level module and a file that imports it."""
    for folder in ('mmssl_geo', 'tools'):
        for path in sorted((ROOT / folder).rglob('*.py')):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and not node.level:
                    names = [node.module]
                for name in names:
                    yield name.split('.')[0], str(path.relative_to(ROOT))


def test_every_import_is_declared():
    extras = set().union(*map(modules_of, project()['optional-dependencies'].values()))
    declared = modules_of(project()['dependencies']) | extras | OPENMMLAB | LOCAL | set(sys.stdlib_module_names)
    assert not {(module, path) for module, path in imports() if module not in declared}


def test_every_declared_package_is_used():
    used = {module for module, _ in imports()} | {'tensorboard'}  # by the visualizer of configs/_base_/runtime.py
    assert modules_of(project()['dependencies']) <= used
    assert 'TensorboardVisBackend' in (ROOT / 'configs/_base_/runtime.py').read_text()


@pytest.mark.parametrize('extra', ['timm', 'onnx'])
def test_optional_packages_are_imported_where_they_are_needed(extra):
    """And not when a module is imported."""
    for module in modules_of(project()['optional-dependencies'][extra]):
        importing = {path for name, path in imports() if name == module}
        for path in importing:
            top_level = ast.parse((ROOT / path).read_text()).body
            names = {
                alias.name.split('.')[0] for node in top_level if isinstance(node, ast.Import) for alias in node.names
            } | {(node.module or '').split('.')[0] for node in top_level if isinstance(node, ast.ImportFrom)}
            assert module not in names, path


def test_the_tested_set_holds_every_dependency():
    lines = (ROOT / 'requirements.txt').read_text().splitlines()
    pinned = modules_of([line for line in lines if line and not line.startswith('#')])
    assert modules_of(project()['dependencies']) <= pinned
    for extra in project()['optional-dependencies'].values():
        assert modules_of(extra) <= pinned


def test_dependencies_are_installed():
    for requirement in project()['dependencies']:
        assert importlib.metadata.version(re.split(r'[<>=]', requirement)[0])
