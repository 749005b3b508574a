import argparse
import os
import socket
import subprocess
import sys

import pytest

from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.config import CfgOptionsAction
from mmssl_geo.utils.errors import UserError
from tests.support import ROOT


def fail(error):
    raise error


def test_a_users_mistake_is_one_sentence(capsys):
    with pytest.raises(SystemExit) as stopped:
        run_tool(lambda: fail(UserError('no such folder')))
    assert stopped.value.code == 1 and capsys.readouterr().err == 'error: no such folder\n'


def test_a_mistake_met_in_a_worker_process_loses_its_traceback(capsys):
    wrapped = UserError(
        'Caught UserError in DataLoader worker process 0.\n'
        'Original Traceback (most recent call last):\n'
        '  File "x.py", line 1\nmmssl_geo.utils.errors.UserError: 64 images in a row cannot be read\n'
    )
    with pytest.raises(SystemExit):
        run_tool(lambda: fail(wrapped))
    assert capsys.readouterr().err == 'error: 64 images in a row cannot be read\n'


def test_a_failed_step_says_error_once(capsys):
    with pytest.raises(SystemExit):
        run_tool(lambda: fail(UserError('error: of the inner tool')))
    assert capsys.readouterr().err == 'error: of the inner tool\n'


def test_other_errors_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        run_tool(lambda: 1 / 0)


def test_interrupt_and_success():
    with pytest.raises(SystemExit) as stopped:
        run_tool(lambda: fail(KeyboardInterrupt()))
    assert stopped.value.code == 130
    with pytest.raises(SystemExit) as stopped:
        run_tool(lambda: None)
    assert stopped.value.code is None


@pytest.mark.parametrize(
    'arguments,status,message',
    [
        (['nowhere.py', '2'], 1, 'error: there is no config file nowhere.py'),
        (['nowhere.py', 'two'], 2, "error: GPUS must be a number of processes, got 'two'"),
        (['nowhere.py'], 2, 'usage: tools/dist_train.sh CONFIG GPUS'),
        (['nowhere.py', '00'], 2, 'error: GPUS must be at least 1'),
    ],
)
def test_the_launcher_checks_its_arguments_before_torchrun(arguments, status, message):
    done = subprocess.run(['bash', str(ROOT / 'tools/dist_train.sh'), *arguments], capture_output=True, text=True)
    assert done.returncode == status and message in done.stderr and 'Traceback' not in done.stderr


@pytest.mark.parametrize('port', ['in use', '70000', 'http'])
def test_the_launcher_names_the_port(port):
    with socket.create_server(('', 0)) as server:
        port = str(server.getsockname()[1]) if port == 'in use' else port
        done = subprocess.run(
            ['bash', str(ROOT / 'tools/dist_train.sh'), str(ROOT / 'configs/gtsa_quickstart.py'), '02'],
            env={**os.environ, 'PORT': port, 'PYTHON': sys.executable},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f'error: port {port} cannot be used (') and 'set PORT to a free one' in done.stderr


def test_arguments_for_srun_are_not_file_patterns(tmp_path):
    (tmp_path / 'srun').write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / 'srun').chmod(0o755)
    environment = {**os.environ, 'PATH': f'{tmp_path}:{os.environ["PATH"]}', 'SRUN_ARGS': '--nodelist=* --mem=0'}
    (tmp_path / '--nodelist=a').touch()
    command = ['bash', str(ROOT / 'tools/slurm_train.sh'), 'part', 'job', 'c.py', 'work']
    words = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True).stdout.splitlines()
    assert '--nodelist=*' in words and '--mem=0' in words
    environment.pop('SRUN_ARGS')
    words = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True).stdout.splitlines()
    assert '' not in words and words[-2:] == ['--launcher', 'slurm']


def test_help_of_the_quick_start_sets_nothing_up():
    done = subprocess.run(['bash', str(ROOT / 'tools/quickstart.sh'), '--help'], capture_output=True, text=True)
    assert done.returncode == 0 and '--images DIR' in done.stdout and '[setup' not in done.stdout


def test_an_override_without_a_value_is_a_usage_error(capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptionsAction)
    assert parser.parse_args(['--cfg-options', 'a.b=1', 'c=x']).cfg_options == {'a.b': 1, 'c': 'x'}
    with pytest.raises(SystemExit):
        parser.parse_args(['--cfg-options', 'nonsense'])
    assert "takes key=value, got 'nonsense'" in capsys.readouterr().err
