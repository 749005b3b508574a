import os
import socket
import subprocess
import sys

import pytest

from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import atomic_path, check_writable, write_bytes


def test_leftovers_of_killed_processes_are_removed(tmp_path):
    dead = subprocess.run([sys.executable, '-c', 'import os; print(os.getpid())'], capture_output=True, text=True)
    host = socket.gethostname()
    stale = tmp_path / f'.{host}-{dead.stdout.strip()}.a.bin'
    kept = [
        tmp_path / f'.{host}-{os.getppid()}.a.bin',  # of a running process
        tmp_path / f'.other-host-{dead.stdout.strip()}.a.bin',
        tmp_path / f'.{host}-{dead.stdout.strip()}.b.bin',  # for another file
        tmp_path / '.a.bin',
    ]
    for path in (stale, *kept):
        path.write_bytes(b'half')
    write_bytes(tmp_path / 'a.bin', b'whole')
    assert (tmp_path / 'a.bin').read_bytes() == b'whole'
    assert not stale.exists() and all(path.exists() for path in kept)


def test_the_temporary_file_keeps_the_suffix_and_its_host_and_process(tmp_path):
    with atomic_path(tmp_path / 'a.npy') as part:
        assert part.name == f'.{socket.gethostname()}-{os.getpid()}.a.npy'
        part.write_bytes(b'')


def test_check_writable(tmp_path):
    (tmp_path / 'file').write_bytes(b'kept')
    check_writable(tmp_path / 'new/folder/a.bin')
    check_writable(tmp_path / 'file')
    with pytest.raises(UserError, match='it is a folder'):
        check_writable(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['file'] and (tmp_path / 'file').read_bytes() == b'kept'
    with pytest.raises(UserError, match='cannot write .*/file/a.bin: .*/file is a file, not a folder'):
        check_writable(tmp_path / 'file/a.bin')
    with pytest.raises(UserError, match='cannot write /proc/a.bin: '):
        check_writable('/proc/a.bin')
