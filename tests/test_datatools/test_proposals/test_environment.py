import subprocess
import sys

import pytest

from mmssl_geo.datatools.proposals import environment
from mmssl_geo.utils.errors import UserError


def test_a_folder_that_works_is_used_as_it_is(tmp_path, monkeypatch):
    python = tmp_path / 'bin/python'
    python.parent.mkdir()
    python.write_text('#!/bin/sh\necho cv2 9.9\n')
    python.chmod(0o755)
    logged = []
    assert environment.search_python(tmp_path, logged.append) == (python, 'cv2 9.9')
    assert logged == [f'Selective Search runs in {tmp_path}: cv2 9.9']


def test_without_a_network_it_says_which_commands_make_it(tmp_path, monkeypatch):
    monkeypatch.setenv('PIP_NO_INDEX', '1')
    monkeypatch.setenv('PIP_CONFIG_FILE', '/dev/null')
    logged, folder = [], tmp_path / 'env'
    with pytest.raises(UserError) as caught:
        environment.search_python(folder, logged.append)
    sentence = str(caught.value)
    assert 'opencv-contrib-python-headless' in sentence and f'--ss-env {folder}' in sentence
    assert f"{sys.executable} -m venv {folder} && {folder}/bin/python -m pip install 'opencv-contrib" in sentence
    assert '--method grid' in sentence and '\n' not in sentence
    assert len(logged) == 1 and logged[0].startswith(f'creating an environment for Selective Search in {folder}')
    with pytest.raises(UserError, match='cannot be created'):  # an incomplete environment is completed
        environment.search_python(folder, logged.append)


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / 'mine').write_text('')
    with pytest.raises(UserError, match='is neither empty nor a virtual environment'):
        environment.search_python(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['mine']


def test_an_environment_without_cv2_ximgproc_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, 'run', lambda command, **_: subprocess.CompletedProcess(command, 1, '', ''))
    with pytest.raises(UserError, match=r'was created, but cv2.ximgproc does not work there.* -I -c '):
        environment.search_python(tmp_path / 'env', print)


def test_the_default_lies_in_the_checkout_or_the_current_folder(tmp_path, monkeypatch):
    assert environment.default_folder() == environment.resource_root() / '.venv-proposals'
    monkeypatch.setattr(environment, 'resource_root', lambda: tmp_path / '.mim')
    monkeypatch.chdir(tmp_path)
    assert environment.default_folder() == tmp_path / '.venv-proposals'
