"""Mistakes in a config are one sentence; bugs in classes come with their traceback."""

import os
import subprocess
import sys

import pytest
from mmengine.hooks import Hook

from mmssl_geo.apis.config import load_config
from mmssl_geo.apis.config_errors import explain_config_errors
from mmssl_geo.registry import HOOKS, MODELS
from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError
from tests.support import ROOT, TOOLS

CLASSES = """
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module(force=True)
class Buggy(Hook):
    def __init__(self, size=3):
        self.size = len(size)

@HOOKS.register_module(force=True)
class WrongCall(Hook):
    def __init__(self):
        super().__init__(colour='red')

@HOOKS.register_module(force=True)
class Refusing(Hook):
    def __init__(self):
        raise ValueError('a bug that looks like a check')

@HOOKS.register_module(force=True)
class Forwarding(Hook):
    def __init__(self, **kwargs):
        self.set(**kwargs)

    def set(self, size):
        self.size = size
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a config and the module `my_classes` that it imports."""

    def write(text, module=CLASSES):
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, 'my_classes', raising=False)
        (tmp_path / 'my_classes.py').write_text(module)
        path = tmp_path / 'config.py'
        path.write_text(f"custom_imports = dict(imports=['my_classes'])\n{text}\n")
        return path

    return write


def build(path):
    cfg = load_config(path)
    with explain_config_errors(cfg, 'cannot be built'):
        for part, registry in (('hook', HOOKS), ('net', MODELS)):
            if part in cfg:
                registry.build(cfg[part])


@pytest.mark.parametrize(
    'text, said',
    [
        ("hook = dict(type='Buggy')", 'TypeError: object of type .int. has no len'),
        ("hook = dict(type='WrongCall')", 'TypeError: '),
        ("hook = dict(type='Refusing')", 'ValueError: a bug that looks like a check'),
    ],
)
def test_a_bug_in_a_users_class_shows_its_cause(write, text, said):
    with pytest.raises(UserError, match=f'config.py cannot be built: {said}') as fault:
        build(write(text))
    assert fault.value.show_cause and '\n' not in str(fault.value)


@pytest.mark.parametrize(
    'text',
    [
        "hook = dict(type='Buggy', colour='red')",
        "hook = dict(type='Forwarding', colour='red')",
        "hook = dict(type='NoSuchHook')",
        'hook = dict(size=3)',
        "hook = dict(type='LoggerHook', intervall=1)",
        "hook = dict(type='mmssl_geo.ThroughputHook', intervall=1)",
        "net = dict(type='mmssl_geo.SSLVisionTransformer', arch='deit-huge')",
        "net = dict(type='mmssl_geo.SSLVisionTransformer', nope=3)",
        "net = dict(type='mmssl_geo.SSLResNet', depth=51)",
    ],
)
def test_a_mistake_in_the_config_is_one_sentence(write, text):
    with pytest.raises(UserError, match='config.py cannot be built: ') as fault:
        build(write(text))
    assert not fault.value.show_cause and '\n' not in str(fault.value)


@pytest.mark.parametrize(
    'module, shows', [('import numpyy', True), ('1 / 0', True), ('raise TypeError', True), (None, False)]
)
def test_a_module_that_cannot_be_imported(write, module, shows):
    path = write('a = 1', module or '')
    if module is None:
        path.write_text("custom_imports = dict(imports=['no_such_module'])")
    with pytest.raises(UserError, match='config.py cannot be used: ') as fault:
        load_config(path)
    assert fault.value.show_cause == shows


@pytest.mark.parametrize('text', ['a = 1 / 0', 'a = b', 'a = dict(', "_base_ = 'nowhere.py'"])
def test_an_error_in_the_config_itself_is_one_sentence(write, text):
    with pytest.raises(UserError) as fault:
        load_config(write(text))
    assert not fault.value.show_cause and '\n' not in str(fault.value)


def test_a_user_error_stays_as_it_is():
    with pytest.raises(UserError, match='^no such folder$'), explain_config_errors({}, 'failed', 'x.py'):
        raise UserError('no such folder')


class FailingHook(Hook):
    def before_train(self, runner):
        raise RuntimeError('out of luck')


def test_an_error_in_training_shows_its_cause(capsys):
    def main():
        with explain_config_errors({}, 'failed in training', 'x.py'):
            FailingHook().before_train(None)

    with pytest.raises(SystemExit):
        run_tool(main)
    shown = capsys.readouterr().err
    assert 'in before_train' in shown and 'RuntimeError: out of luck' in shown
    assert shown.endswith('error: config x.py failed in training: RuntimeError: out of luck\n')


def test_the_tool_prints_the_traceback_of_a_bug(write):
    path = write(
        f'_base_ = {str(ROOT / "configs/gtsa_quickstart.py")!r}\n'
        "custom_imports = dict(imports=['my_classes', 'mmssl_geo.engine'])\ncustom_hooks = [dict(type='Buggy')]"
    )
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', str(TOOLS / 'train.py'), str(path), '--work-dir', str(path.parent / 'work')],
        capture_output=True,
        text=True,
        cwd=path.parent,
        env={**os.environ, 'PYTHONPATH': str(path.parent)},
    )
    assert done.returncode == 1 and 'my_classes.py", line' in done.stderr and 'self.size = len(size)' in done.stderr
    assert done.stderr.splitlines()[-1].startswith('error: config ')
