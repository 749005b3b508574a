import pytest

from mmssl_geo.cli import run_tool
from mmssl_geo.errors import UserError


def fail(error):
    raise error


def test_a_users_mistake_is_one_sentence(capsys):
    with pytest.raises(SystemExit) as stopped:
        run_tool(lambda: fail(UserError('no such folder')))
    assert stopped.value.code == 1 and capsys.readouterr().err == 'error: no such folder\n'


def test_a_mistake_met_in_a_worker_process_loses_its_traceback(capsys):
    wrapped = UserError('Caught UserError in DataLoader worker process 0.\n'
                        'Original Traceback (most recent call last):\n'
                        '  File "x.py", line 1\nmmssl_geo.errors.UserError: 64 images in a row cannot be read\n')
    with pytest.raises(SystemExit):
        run_tool(lambda: fail(wrapped))
    assert capsys.readouterr().err == 'error: 64 images in a row cannot be read\n'


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
