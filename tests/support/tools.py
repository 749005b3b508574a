"""Running the command-line tools in tests."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.support import ROOT, TOOLS


def load_tool(name: str) -> ModuleType:
    """Imports `tools/<name>` as a module."""
    path = TOOLS / name
    spec = importlib.util.spec_from_file_location(f'tool_{path.stem}', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_process(name: str, *args: object) -> subprocess.CompletedProcess:
    """Runs `tools/<name>` in a separate process, from the root of the checkout."""
    return subprocess.run(
        [sys.executable, '-W', 'ignore', str(TOOLS / name), *map(str, args)], capture_output=True, text=True, cwd=ROOT
    )


def train_on_two_processes(config: str, work_dir: Path, options: dict[str, object], port: int) -> str:
    """Trains a shipped config by `tools/dist_train.sh` on two processes; returns the output.

    Args:
        config: Path of the config in the checkout.
        work_dir: Work directory.
        options: Overrides of the config.
        port: Port of the process group; concurrent tests need different ones.
    """
    command = ['bash', TOOLS / 'dist_train.sh', ROOT / config, '2', '--work-dir', work_dir, '--cfg-options']
    done = subprocess.run(
        [*command, *(f'{key}={value}' for key, value in options.items())],
        capture_output=True,
        text=True,
        timeout=400,
        env={**os.environ, 'PORT': str(port), 'PYTHON': sys.executable},
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output


class ToolRunner:
    """Runs tools in this process, which spares the seconds that imports take.

    Args:
        monkeypatch: Sets `sys.argv`.
        capsys: Reads what a tool prints.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
        self.monkeypatch = monkeypatch
        self.capsys = capsys

    def main(self, name: str, *args: object) -> Any:
        """Calls the `main` of `tools/<name>`; returns what it returns, and lets its errors through."""
        return self.main_of(load_tool(name), *args)

    def main_of(self, tool: ModuleType, *args: object) -> Any:
        """Calls the `main` of a loaded tool."""
        self.monkeypatch.setattr(sys, 'argv', [tool.__file__, *map(str, args)])
        return tool.main()

    def __call__(self, name: str, *args: object) -> SimpleNamespace:
        """Runs `tools/<name>` as the command line does; returns `returncode`, `stdout` and `stderr`."""
        tool = load_tool(name)
        self.monkeypatch.setattr(sys, 'argv', [tool.__file__, *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            tool.run_tool(tool.main)
        shown = self.capsys.readouterr()
        return SimpleNamespace(returncode=ended.value.code or 0, stdout=shown.out, stderr=shown.err)
