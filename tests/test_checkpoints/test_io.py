import argparse
import os
import pickle
import tarfile
from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch

from mmssl_geo.checkpoints.io import read_checkpoint, write_checkpoint
from mmssl_geo.checkpoints.safe_pickle import safe_load
from mmssl_geo.utils.errors import UserError


class Malicious:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


class Reduce:
    """Pickles as the call `function(*args)`, then its `state` is set."""

    def __init__(self, function, args, state=None):
        self.parts = (function, args, state)

    def __reduce__(self):
        return self.parts


def training_checkpoint():
    """A complete checkpoint as written by mmengine's runner."""
    from mmengine.logging import MessageHub

    hub = MessageHub.get_instance('test_checkpoint_io')
    for value in (1.0, 2.0, 6.0):
        hub.update_scalar('train/loss', value)
    hub.update_info('seed', np.int64(3))
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return dict(
        meta=dict(cfg='model = dict()', seed=1, epoch=2),
        state_dict=layer.state_dict(),
        message_hub=hub.state_dict(),
        optimizer=optimizer.state_dict(),
        param_schedulers=[dict(milestones=Counter([3, 3]))],
    )


def assert_same(a, b):
    assert a.keys() == b.keys()
    assert all(torch.equal(a[key], b[key]) and a[key].dtype == b[key].dtype for key in a)


@pytest.mark.parametrize('zipped', [True, False])
def test_reads_mmengine_training_checkpoint(tmp_path, zipped):
    written = training_checkpoint()
    torch.save(written, tmp_path / 'epoch_1.pth', _use_new_zipfile_serialization=zipped)
    read = read_checkpoint(tmp_path / 'epoch_1.pth')
    assert_same(read['state_dict'], written['state_dict'])
    history = read['message_hub']['log_scalars']['train/loss']
    assert history.mean() == 3 and history.statistics('max') == 6
    assert read['message_hub']['runtime_info']['seed'] == 3
    assert torch.equal(read['optimizer']['state'][0]['exp_avg'], written['optimizer']['state'][0]['exp_avg'])
    assert read['param_schedulers'][0]['milestones'] == Counter([3, 3])


def test_reads_argparse_namespace_and_dtypes(tmp_path):
    written = dict(
        args=argparse.Namespace(model='gtsa_small', lr=1e-3),
        model=OrderedDict(half=torch.ones(2, dtype=torch.float16), brain=torch.ones(2, dtype=torch.bfloat16)),
        dtype=torch.float64,
    )
    torch.save(written, tmp_path / 'a.pth')
    read = read_checkpoint(tmp_path / 'a.pth')
    assert read['args'] == written['args'] and read['dtype'] is torch.float64
    assert_same(read['model'], written['model'])


def test_numpy_1_and_2_names():
    """An array pickled under numpy 1 or 2 is read under either."""
    data = pickle.dumps(np.arange(3), protocol=2)
    core = b'numpy._core.' if b'numpy._core.' in data else b'numpy.core.'
    for name in (b'numpy.core.', b'numpy._core.'):
        array = safe_load(data.replace(core, name))
        assert array.tolist() == [0, 1, 2]


@pytest.mark.parametrize('zipped', [True, False])
def test_code_is_refused_and_not_run(tmp_path, zipped):
    trap = tmp_path / 'trap'
    torch.save(dict(model=Malicious(trap)), tmp_path / 'bad.pth', _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r'reading it would run code \(posix.mkdir\).*--allow-unsafe'):
        read_checkpoint(tmp_path / 'bad.pth')
    assert not trap.exists()
    read_checkpoint(tmp_path / 'bad.pth', allow_code=True)
    assert trap.exists(), 'the trap would not have worked'


def test_getattr_is_limited_to_history_statistics(tmp_path):
    """`getattr` on an allowed class leads to its module's globals and from there to anything."""
    from mmengine.logging import HistoryBuffer

    torch.save(dict(model=Reduce(getattr, (HistoryBuffer, '__init__'))), tmp_path / 'bad.pth')
    with pytest.raises(UserError, match='builtins.getattr'):
        read_checkpoint(tmp_path / 'bad.pth')


def test_allowed_class_cannot_be_changed(tmp_path):
    """BUILD with a slot state sets attributes; on a class they would persist after the read."""
    # GLOBAL Namespace, (None, {'trap': 1}), BUILD
    forged = b'\x80\x02cargparse\nNamespace\nN}U\x04trapK\x01s\x86b.'
    with pytest.raises(pickle.UnpicklingError, match='attributes of Namespace'):
        safe_load(forged)
    assert not hasattr(argparse.Namespace, 'trap')
    pickle.loads(forged)
    assert argparse.Namespace.trap == 1, 'the forged file would not have worked'
    del argparse.Namespace.trap


@pytest.mark.parametrize('name', ['a.pth', 'a.safetensors'])
def test_truncated_file(tmp_path, name):
    write_checkpoint(dict(weight=torch.rand(1000)), tmp_path / 'whole.safetensors', {})
    torch.save(dict(weight=torch.rand(1000)), tmp_path / 'whole.pth')
    data = (tmp_path / 'whole').with_suffix(os.path.splitext(name)[1]).read_bytes()
    for part in (len(data) - 50, len(data) // 2, 3):
        (tmp_path / name).write_bytes(data[:part])
        with pytest.raises(UserError, match='truncated'):
            read_checkpoint(tmp_path / name)
    (tmp_path / name).write_bytes(b'')
    with pytest.raises(UserError, match='empty'):
        read_checkpoint(tmp_path / name)


def test_truncated_legacy_file(tmp_path):
    torch.save(dict(weight=torch.rand(1000)), tmp_path / 'a.pth', _use_new_zipfile_serialization=False)
    data = (tmp_path / 'a.pth').read_bytes()
    for part in (len(data) - 50, 100):
        (tmp_path / 'a.pth').write_bytes(data[:part])
        with pytest.raises(UserError, match='truncated'):
            read_checkpoint(tmp_path / 'a.pth')


@pytest.mark.parametrize('content', [b'<html>404</html>', b'\x89PNG\r\n\x1a\n' + bytes(99), bytes(200)])
def test_no_checkpoint(tmp_path, content):
    for name in ('a.pth', 'a.safetensors'):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match='not a'):
            read_checkpoint(tmp_path / name)


def test_missing_folder_list_and_other_archives(tmp_path):
    with pytest.raises(UserError, match='no such file'):
        read_checkpoint(tmp_path / 'none.pth')
    with pytest.raises(UserError, match='is a folder; name a file in it'):
        read_checkpoint(tmp_path)
    torch.save([torch.ones(1)], tmp_path / 'list.pth')
    with pytest.raises(UserError, match='holds a list'):
        read_checkpoint(tmp_path / 'list.pth')
    with tarfile.open(tmp_path / 'tar.pth', 'w') as archive:
        archive.add(tmp_path / 'list.pth', 'storages')
    with pytest.raises(UserError, match='tar archive'):
        read_checkpoint(tmp_path / 'tar.pth')


def test_torchscript_archive_is_refused(tmp_path):
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)), tmp_path / 'script.pth')
    with pytest.raises(UserError, match='TorchScript'):
        read_checkpoint(tmp_path / 'script.pth')


@pytest.mark.parametrize('name', ['a.pth', 'sub/a.safetensors'])
def test_write_reads_back(tmp_path, name):
    state = dict(view=torch.rand(1000, 4)[:2].t(), tied=torch.ones(2), whole=torch.arange(3))
    state['tied_too'] = state['tied']
    write_checkpoint(state, tmp_path / name, dict(num_heads=3))
    read = read_checkpoint(tmp_path / name)
    assert_same(read['state_dict'], state)
    assert str(read['meta']['num_heads']) == '3'
    assert (tmp_path / name).stat().st_size < 3000, 'a view took its whole storage along'
    assert [path.name for path in (tmp_path / name).parent.iterdir()] == [os.path.basename(name)]


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    write_checkpoint(dict(a=torch.zeros(1)), tmp_path / 'a.pth', {})

    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'replace', full)
    with pytest.raises(UserError, match='No space left'):
        write_checkpoint(dict(a=torch.ones(1)), tmp_path / 'a.pth', {})
    assert read_checkpoint(tmp_path / 'a.pth')['state_dict']['a'].item() == 0
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(UserError, match=r'\.pth or \.safetensors'):
        write_checkpoint({}, tmp_path / 'a.bin', {})
