"""Checkpoint files that are forged, damaged, misfitting or unusual, each with the outcome that reading must have.

`python -m tests.support.hostile_checkpoints FOLDER` writes and reads all of them under a limit on memory and time.
"""

import functools
import io
import json
import os
import pickle
import re
import resource
import signal
import struct
import sys
import tarfile
import time
import zipfile
from collections import Counter, OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from tests.support import checkpoints as make

MEMORY = 2**30  # bytes that reading may need beyond what the libraries use
SECONDS = 20  # for one file
CODE = 'reading it would run code'
REFUSED = 'cannot be read, since it holds|not a checkpoint|would run code|truncated|damaged'


@dataclass(frozen=True)
class Case:
    """A file: `write(path)` makes it; `expected` is a pattern of the message, or None if it must be read."""

    name: str
    write: object
    expected: str | None
    suffix: str = '.pth'


@functools.cache
def weights():
    return make.mmpretrain_vit(0).state_dict()


@functools.cache
def timm_weights():
    return make.timm_vit(0).state_dict()


def meta():
    return dict(num_heads=3)


def saved(contents, zipped=True):
    def write(path):
        torch.save(contents() if callable(contents) else contents, path, _use_new_zipfile_serialization=zipped)

    return write


def archive(data, records=(), compression=zipfile.ZIP_STORED):
    """Writes the zip format around a pickle."""

    def write(path):
        with zipfile.ZipFile(path, 'w', compression) as file:
            file.writestr('a/data.pkl', data() if callable(data) else data)
            file.writestr('a/byteorder', 'little')
            file.writestr('a/version', '3\n')
            for name, content in records:
                file.writestr(f'a/{name}', content)

    return write


class Ops:
    """Assembles a pickle of protocol 2."""

    def __init__(self):
        self.data = bytearray(b'\x80\x02')

    def add(self, raw):
        self.data += raw
        return self

    def glob(self, name):
        module, _, attribute = name.rpartition('.')
        return self.add(b'c' + module.encode() + b'\n' + attribute.encode() + b'\n')

    def value(self, value):
        body = pickle.dumps(value, 2)
        return self.add(body[2:-1])  # without PROTO and STOP; memo indices are only used within the value

    def end(self):
        return bytes(self.data) + b'.'


def call(name, args, state=None):
    """A dict whose entry is the result of `name(*args)`, then given a state."""
    ops = Ops().add(b'}').value('model').glob(name).value(args).add(b'R')
    if state is not None:
        ops.value(state).add(b'b')
    return ops.add(b's').end()


def nested(levels, opcode=b'\x86'):
    """A tuple nested by two references on each level: 2 ** levels nodes in a few bytes."""
    ops = Ops().add(b'N')
    for level in range(levels):
        ops.add(b'r' + struct.pack('<I', 1000 + level))  # LONG_BINPUT
        ops.add(b'j' + struct.pack('<I', 1000 + level)).add(opcode)
    return bytes(ops.data[2:])


def tensor_ops(size, stride, offset=0, numel=4, storage='FloatStorage', location='cpu', key='0'):
    ops = Ops().add(b'}').value('model').glob('torch._utils._rebuild_tensor_v2').add(b'(')
    ops.add(b'(').value('storage').glob(f'torch.{storage}').value(key).value(location).value(numel).add(b'tQ')
    ops.value(offset).value(size).value(stride).add(b'\x89').glob('collections.OrderedDict').add(b')R').add(b'tR')
    return ops.add(b's').end()


FORBIDDEN = (
    'os.system os.remove posix.system subprocess.Popen subprocess.check_output builtins.eval builtins.exec '
    'builtins.__import__ builtins.open builtins.compile builtins.setattr builtins.type builtins.object builtins.map '
    'builtins.print builtins.list functools.partial operator.attrgetter operator.methodcaller codecs.open '
    'shutil.rmtree types.CodeType types.FunctionType importlib.import_module numpy.load numpy.fromfile numpy.memmap '
    'torch.load torch.storage._load_from_bytes torch.jit.load torch.hub.load pickle.loads marshal.loads ctypes.CDLL '
    'socket.socket sys.exit mmengine.config.config.Config.fromfile collections.deque webbrowser.open pty.spawn '
    'torch.nn.modules.linear.Linear copyreg._reconstructor numpy.ndarray numpy.core.multiarray.fromfile '
    'numpy.lib.npyio.load runpy.run_path pdb.run timeit.timeit'
).split()


def code_cases():
    for name in FORBIDDEN:
        data = call(name, ('touch trap',))
        yield Case(f'calls {name}', archive(data), CODE)
    for zipped in (True, False):
        kind = 'zip' if zipped else 'legacy'
        yield Case(f'__reduce__ to mkdir, {kind}', saved(lambda: dict(model=_Mkdir()), zipped), CODE)
        yield Case(f'a whole module, {kind}', saved(lambda: dict(model=torch.nn.Linear(1, 1)), zipped), CODE)
        yield Case(f'a module alone, {kind}', saved(lambda: torch.nn.Linear(1, 1), zipped), CODE)
    for opcode, name in ((b'\x81', 'NEWOBJ'), (b'R', 'REDUCE')):
        data = Ops().glob('torch._utils._rebuild_tensor_v2').add(b')').add(opcode).end()
        yield Case(f'{name} of a function without arguments', archive(data), REFUSED)
    yield Case('attributes of a class', archive(b'\x80\x02cargparse\nNamespace\nN}U\x04trapK\x01s\x86b.'), CODE)
    yield Case('INST of a function', archive(b'(S"touch trap"\nios\nsystem\n.'), CODE)
    yield Case('OBJ of a function', archive(b'(cos\nsystem\nS"touch trap"\no.'), CODE)
    yield Case('getattr of __init__', archive(_getattr_ops('__init__')), CODE)
    yield Case('getattr of __globals__', archive(_getattr_ops('__class__')), CODE)
    yield Case(
        'a class as a value', archive(Ops().add(b'}').value('a').glob('collections.Counter').add(b's').end()), REFUSED
    )


class _Mkdir:
    def __reduce__(self):
        return os.mkdir, ('trap',)


def _getattr_ops(name):
    ops = Ops().glob('__builtin__.getattr').add(b'(').glob('mmengine.logging.history_buffer.HistoryBuffer')
    return ops.value(name).add(b'tR.').end()


def numpy_cases():
    ndarray = 'numpy._core.multiarray._reconstruct'
    yield Case('ndarray with a buffer', archive(call('numpy.ndarray', ((8,), 'f8', b'x' * 8))), CODE)
    for name in ('O', 'O8', 'V8', 'f8,f8', '>f8', 'M8[s]', 'f999', 'no', 3, ('f8', 8), [('a', 'O')]):
        yield Case(f'dtype {name!r}', archive(call('numpy.dtype', (name, False, True))), REFUSED)
    states = [
        (3, '|', None, None, None, -1, -1, 63),
        (3, '>', None, None, None, -1, -1, 0),
        (3, '<', None, ('a',), {}, 8, 8, 0),
        (3, '<', None, None, None, 1, 1, 0),
        (3, '<', ('f8', (9,)), None, None, -1, -1, 0),
        3,
    ]
    for index, state in enumerate(states):
        yield Case(f'dtype state {index}', archive(call('numpy.dtype', ('f8', False, True), state)), REFUSED)
    good = np.arange(3.0).tobytes()
    arrays = [
        ((4,), good),
        ((2**40,), good),
        ((2**62, 0), b''),
        ((-3,), good),
        ((3,), good[:-1]),
        (3, good),
        ((3.0,), good),
        (tuple([1] * 40), b'x' * 8),
        ((3,), [1, 2, 3]),
        ((3,), 'text'),
    ]
    for shape, data in arrays:
        yield Case(
            f'array of shape {shape!s:.20}, {type(data).__name__} {len(data)}',
            archive(_array_ops(shape, data)),
            REFUSED,
        )
    for args in (((1,), b'b'), ((0,), b'O'), ((2**40,), b'b'), (0, b'b')):
        ops = Ops().add(b'}').value('a').glob(ndarray).add(b'(').glob('numpy.ndarray').value(args[0]).value(args[1])
        yield Case(f'_reconstruct {args}', archive(ops.add(b'tRs').end()), REFUSED)
    scalar = Ops().add(b'}').value('a').glob('numpy._core.multiarray.scalar').add(b'(').glob('numpy.dtype')
    scalar.value(('f8', False, True)).add(b'R').value(b'1234').add(b'tRs')
    yield Case('scalar of the wrong size', archive(scalar.end()), REFUSED)
    yield Case('array of objects by torch.save', saved(lambda: dict(model=np.array([{}], object))), REFUSED)
    yield Case('structured array', saved(lambda: dict(model=np.zeros(2, [('a', 'f8')]))), REFUSED)
    yield Case('big-endian array', saved(lambda: dict(model=np.zeros(2, '>f8'))), REFUSED)


def _array_ops(shape, data):
    ops = Ops().add(b'}').value('a').glob('numpy.core.multiarray._reconstruct').add(b'(').glob('numpy.ndarray')
    ops.value((0,)).value(b'b').add(b'tR').add(b'(').value(1).value(shape)
    ops.glob('numpy.dtype').value(('f8', False, True)).add(b'R').add(b'\x89').value(data).add(b'tb')
    return ops.add(b's').end()


def bound_cases():
    yield Case('nested tuples as a key', archive(Ops().add(b'}' + nested(60) + b'K\x01s').end()), REFUSED)
    data = Ops().add(b'}').value('a').add(nested(100) + b's')
    yield Case('tuples that double 100 times', archive(data.end()), REFUSED)
    yield Case('lists that double 100 times', archive(_doubling_lists(100).add(b's').end()), REFUSED)
    for name, arguments in dict(Counter=b'](%se\x85', OrderedDict=b']%sK\x01\x86a\x85').items():
        ops = Ops().add(b'}').value('a').glob(f'collections.{name}').add(arguments % nested(60)).add(b'Rs')
        yield Case(f'{name} of nested tuples', archive(ops.end()), REFUSED)
    for name in ('set', 'frozenset'):
        ops = Ops().add(b'}').value('a').glob(f'builtins.{name}').add(b'](' + nested(60) + b'e\x85Rs')
        yield Case(f'{name} of nested tuples', archive(ops.end()), REFUSED)
    for size in (12 * 2**30, 2**62):
        yield Case(f'bytearray({size})', archive(call('builtins.bytearray', (size,))), REFUSED)
        yield Case(f'BYTEARRAY8 of {size}', archive(b'\x80\x05\x96' + struct.pack('<Q', size) + b'.'), REFUSED)
        yield Case(f'BINUNICODE8 of {size}', archive(b'\x80\x05\x8d' + struct.pack('<Q', size) + b'.'), REFUSED)
    yield Case('FRAME of 2**60', archive(b'\x80\x04\x95' + struct.pack('<Q', 2**60) + b'.'), REFUSED)
    yield Case('an int of 100,000 digits', archive(b'}S"a"\nI' + b'9' * 100_000 + b'\ns.'), REFUSED)
    yield Case(
        '100,000 nested lists', archive(b'\x80\x02}U\x01a' + b'](' * 100_000 + b'N' + b'e' * 100_000 + b's.'), REFUSED
    )
    yield Case('100,000 nested tuples', archive(b'\x80\x02}U\x01aN' + b'\x85' * 100_000 + b's.'), REFUSED)
    yield Case('a list in itself', archive(b'\x80\x02}U\x01a]q\x00h\x00as.'), REFUSED)
    yield Case('a dict in itself', archive(b'\x80\x02}q\x00U\x01ah\x00s.'), REFUSED)
    values = [struct.pack('<4f', 1, 2, 3, 4)]
    for name, args in {
        'stride 0': dict(size=(2**20, 2**10), stride=(0, 0)),
        'expanded': dict(size=(4, 2), stride=(1, 0)),
        'more elements than the storage': dict(size=(5,), stride=(1,)),
        'negative size': dict(size=(-1,), stride=(1,)),
        'negative stride': dict(size=(4,), stride=(-1,)),
        'negative offset': dict(size=(2,), stride=(1,), offset=-2),
        'offset behind the end': dict(size=(2,), stride=(1,), offset=3),
        'huge offset': dict(size=(2,), stride=(1,), offset=2**63),
        'huge stride': dict(size=(2,), stride=(2**61,)),
        'sizes of text': dict(size=('4',), stride=(1,)),
        'one stride too few': dict(size=(2, 2), stride=(1,)),
        '100 dimensions': dict(size=(1,) * 100, stride=(1,) * 100),
        'storage larger than its record': dict(size=(4,), stride=(1,), numel=2**40),
        'storage smaller than its record': dict(size=(4,), stride=(1,), numel=3),
        'negative storage': dict(size=(4,), stride=(1,), numel=-4),
        'storage of another type': dict(size=(4,), stride=(1,), storage='DoubleStorage'),
        'storage of quantised numbers': dict(size=(4,), stride=(1,), storage='QInt8Storage', numel=16),
        'storage without a record': dict(size=(4,), stride=(1,), key='7'),
        'storage outside of the archive': dict(size=(4,), stride=(1,), key='../../etc/passwd'),
        'device meta': dict(size=(4,), stride=(1,), location='meta'),
        'unknown device': dict(size=(4,), stride=(1,), location='toaster:3'),
    }.items():
        yield Case(name, archive(tensor_ops(**args), [('data/0', values[0])]), REFUSED)
    deflated = archive(tensor_ops((4,), (1,)), [('data/0', bytes(2**26))], zipfile.ZIP_DEFLATED)
    yield Case('deflated records', deflated, REFUSED)
    yield Case('200,000 tensors of one storage', _many_views, REFUSED)
    yield Case('one large argument 100,000 times', archive(_repeated_argument()), REFUSED)
    yield Case('reference by text', archive(b'Pstorage\n.'), REFUSED)
    for index in ('999999999', '1' * 40):
        for template in ('layers.{}.ln1.weight', 'blocks.{}.norm1.weight', 'layer1.{}.conv1.weight'):
            key = template.format(index)
            yield Case(
                f'block {key:.30}', saved(lambda key=key: {**weights(), key: torch.ones(48)}), 'unexpected|missing'
            )


def _doubling_lists(levels):
    ops = Ops().add(b'}').value('model').add(b']')
    for level in range(levels):
        put, get = b'r' + struct.pack('<I', 1000 + level), b'j' + struct.pack('<I', 1000 + level)
        ops.add(put + b'0](' + get + get + b'e')
    return ops


def _many_views(path):
    ops = Ops().add(b'}').value('model').add(b'}(')
    one = Ops().glob('torch._utils._rebuild_tensor_v2').add(b'(')
    one.add(b'(').value('storage').glob('torch.FloatStorage').value('0').value('cpu').value(2**18).add(b'tQ')
    one.value(0).value((2**18,)).value((1,)).add(b'\x89').glob('collections.OrderedDict').add(b')R').add(b'tR')
    for index in range(2000):
        ops.value(f'blocks.{index}.weight').add(bytes(one.data[2:]))
    archive(ops.add(b'us').end(), [('data/0', bytes(2**20))])(path)


def _repeated_argument():
    ops = Ops().add(b']q\x05').add(b'X' + struct.pack('<I', 100_000) + b'x' * 100_000 + b'q\x06')
    ops.add(b'0').glob('_codecs.encode').add(b'q\x070')
    for _ in range(100_000):
        ops.add(b'h\x07h\x06U\x06latin1\x86R0')
    return ops.end()


def integrity_cases():
    buffer = io.BytesIO()
    torch.save(dict(state_dict=weights(), meta=meta()), buffer)
    data = buffer.getvalue()
    legacy = io.BytesIO()
    torch.save(dict(state_dict=weights(), meta=meta()), legacy, _use_new_zipfile_serialization=False)
    old = legacy.getvalue()
    generator = np.random.default_rng(0)
    with zipfile.ZipFile(buffer) as file:
        spans = [(info.header_offset + 200, info.file_size) for info in file.infolist() if info.file_size > 2000]
    for _ in range(40):
        start, size = spans[generator.integers(len(spans))]
        position = int(start + generator.integers(size - 300))
        yield Case(f'byte {position} flipped', _bytes(_flipped(data, position)), 'damaged, since the checksum')
    for part in np.linspace(1, len(data) - 1, 20).astype(int):
        yield Case(f'zip cut at {part}', _bytes(data[:part]), 'truncated|not a checkpoint')
    for part in np.linspace(1, len(old) - 1, 20).astype(int):
        yield Case(f'legacy cut at {part}', _bytes(old[:part]), 'truncated|not a checkpoint')
    yield Case('garbage behind a zip', _bytes(data + bytes(100_000)), 'truncated|damaged|not a checkpoint')
    yield Case('legacy with garbage behind it', _bytes(old + bytes(100)), None)
    from safetensors.torch import save

    safe = save({key: value.contiguous() for key, value in weights().items()}, dict(num_heads='3'))
    yield Case('safetensors', _bytes(safe), None, '.safetensors')
    for part in (1, 7, 8, 9, 500, len(safe) // 2, len(safe) - 1):
        yield Case(f'safetensors cut at {part}', _bytes(safe[:part]), 'truncated', '.safetensors')
    header = struct.pack('<Q', 2**60) + safe[8:]
    yield Case('safetensors with a huge header', _bytes(header), 'truncated', '.safetensors')
    claim = json.dumps(dict(a=dict(dtype='F32', shape=[2**40], data_offsets=[0, 2**42]))).encode()
    yield Case(
        'safetensors with a huge tensor', _bytes(struct.pack('<Q', len(claim)) + claim), 'truncated', '.safetensors'
    )
    yield Case('safetensors named .pth', _bytes(safe), 'not a checkpoint')
    yield Case('.pth named safetensors', _bytes(data), 'truncated', '.safetensors')
    for name, content in dict(
        html=b'<html>', png=b'\x89PNG\r\n\x1a\n', noise=b'\x01' * 500, gzip=b'\x1f\x8b\x08', text=b'v1\n'
    ).items():
        yield Case(f'{name} instead of a checkpoint', _bytes(content * 50), 'not a checkpoint')
    yield Case('an empty file', _bytes(b''), 'the file is empty')
    yield Case('an empty zip', _empty_zip, REFUSED)
    yield Case('a tar file', _tar, 'tar archive, and reading it would run code')
    yield Case('TorchScript', _script, 'TorchScript archive, and reading it would run code')


def _bytes(data):
    return lambda path: path.write_bytes(data)


def _flipped(data, position):
    changed = bytearray(data)
    changed[position] ^= 0x10
    return bytes(changed)


def _empty_zip(path):
    zipfile.ZipFile(path, 'w').close()


def _tar(path):
    with tarfile.open(path, 'w') as file:
        file.add(__file__, 'storages')


def _script(path):
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)), path)


def file_cases():
    yield Case('a FIFO', os.mkfifo, 'is not a regular file')
    yield Case('a folder', Path.mkdir, 'is a folder')
    for target in ('/dev/zero', '/dev/null', '/dev/full'):
        yield Case(f'a link to {target}', lambda path, target=target: path.symlink_to(target), 'is not a regular file')
    yield Case('a link to itself', lambda path: path.symlink_to(path.name), 'no such file')
    yield Case('no file', lambda path: None, 'no such file')


def value_cases():
    def changed(**values):
        return saved(lambda: dict(state_dict={**weights(), **values}, meta=meta()))

    cls = weights()['cls_token']
    yield Case('a key that is a number', saved(lambda: dict(state_dict={**weights(), 3: cls})), 'the key 3, but')
    yield Case('a key of the file that is a number', saved(lambda: {**weights(), 3: cls}), 'the key 3, but')
    yield Case('a key of bytes', saved(lambda: dict(state_dict={**weights(), b'a': cls})), 'the key b')
    yield Case('sparse', changed(cls_token=cls.to_sparse()), 'sparse')
    yield Case('quantised', changed(cls_token=torch.quantize_per_tensor(cls, 0.1, 0, torch.qint8)), 'quantised')
    yield Case('float8', changed(cls_token=cls.to(torch.float8_e4m3fn)), 'float8')
    yield Case('on meta', changed(cls_token=cls.to('meta')), 'meta')
    yield Case('int8', changed(cls_token=cls.to(torch.int8)), 'not a floating-point type')
    yield Case('complex', changed(cls_token=cls.to(torch.complex64)), 'not a floating-point type')
    yield Case('conjugated', changed(cls_token=torch.ones(3, dtype=torch.complex64).conj()), 'conj')
    yield Case('NaN', changed(cls_token=cls * float('nan')), 'not finite')
    yield Case('Inf', changed(cls_token=cls / 0), 'not finite')
    yield Case('empty tensor', changed(cls_token=cls[..., :0]), 'do not belong|shape|multiple')
    yield Case('scalar instead of a vector', changed(pos_embed=torch.ones(())), 'shape|belong')
    yield Case('transposed weight', changed(**{'layers.0.ffn.layers.1.weight': torch.ones(96, 48)}), 'has shape')
    yield Case('half', saved(lambda: dict(state_dict={k: v.half() for k, v in weights().items()}, meta=meta())), None)
    yield Case('a list as state_dict', saved(lambda: dict(state_dict=list(weights().values()))), 'no known layout')
    yield Case('a list', saved(lambda: [cls]), 'holds a list')
    yield Case('a tensor', saved(lambda: cls), 'holds a Tensor')
    yield Case('None', saved(lambda: None), 'holds a NoneType')
    yield Case('an empty dict', saved(dict), 'no known layout')
    for heads in ('²', '3.5', '-3', '', [3], None, 10**9, '9' * 5000, True, float('nan'), '٣'):
        outcome = 'multiple of|number of heads'
        yield Case(
            f'num_heads={heads!r:.20}',
            saved(lambda heads=heads: dict(state_dict=weights(), meta=dict(num_heads=heads))),
            outcome,
        )
    for name, other in dict(text='x', number=3, list=[1], none=None, cfg=dict(cfg=3)).items():
        yield Case(f'meta {name}', saved(lambda other=other: dict(state_dict=weights(), meta=other)), 'number of heads')
    for name, text in {
        'broken': 'model = dict(',
        'code': 'import os; os.mkdir("trap")',
        'parentheses': 'model = ' + '(' * 50_000,
        'minus': 'model = ' + '-' * 200_000 + '1',
        'attributes': 'model = a' + '.b' * 200_000,
        'zero': 'model = "\0"',
        'arch': 'model = dict(backbone=dict(arch=dict(embed_dims=48, num_heads="x")))',
    }.items():
        yield Case(
            f'config text: {name}',
            saved(lambda text=text: dict(state_dict=weights(), meta=dict(cfg=text))),
            'number of heads',
        )


def accepted_cases():
    vit, timm = weights(), timm_weights()

    def of(contents):
        return saved(lambda: dict(**contents, meta=meta()))

    for prefix in ('module.', '_orig_mod.', 'module._orig_mod.', '_fsdp_wrapped_module.', 'module.module.'):
        yield Case(f'prefix {prefix}', of(dict(state_dict=make.prefixed(prefix, vit))), None)
    inner = {
        key.replace('layers.0.', 'layers.0._fsdp_wrapped_module._checkpoint_wrapped_module.'): value
        for key, value in vit.items()
    }
    yield Case('prefixes inside of keys', of(dict(state_dict=inner)), None)
    yield Case(
        'two tensors of one name', of(dict(state_dict={**vit, 'module.cls_token': vit['cls_token']})), 'two tensors for'
    )
    for entry in ('state_dict', 'model', 'module', 'model_state_dict'):
        yield Case(f'entry {entry}', of({entry: timm}), None)
    pairs = {
        'GTSA or MoCo v3': ('base_encoder.', 'momentum_encoder.'),
        'mmssl_geo': ('backbone.', 'teacher.backbone.'),
        'solo-learn': ('backbone.', 'momentum_backbone.'),
        'lightly': ('student_backbone.', 'teacher_backbone.'),
        'lightly, masked': ('student_backbone.vit.', 'teacher_backbone.vit.'),
    }
    for name, prefixes in pairs.items():
        state = make.repeated(vit if name == 'mmssl_geo' else timm, *prefixes)
        yield Case(f'ViT of {name}', of(dict(state_dict=state)), None)
    resnet = make.torchvision_resnet(0, 18).state_dict()
    pairs = {
        'MoCo': ('module.encoder_q.', 'module.encoder_k.'),
        'DenseCL': ('encoder_q.0.', 'encoder_k.0.'),
        'PixPro': ('module.encoder.', 'module.encoder_k.'),
        'MoCo v3': ('module.base_encoder.', 'module.momentum_encoder.'),
        'solo-learn': ('backbone.', 'momentum_backbone.'),
        'lightly': ('backbone.', 'backbone_momentum.'),
    }
    for name, prefixes in pairs.items():
        yield Case(f'ResNet of {name}', saved(lambda prefixes=prefixes: make.repeated(resnet, *prefixes)), None)
    yield Case(
        'MAE', of(dict(model={**timm, 'mask_token': timm['cls_token'], 'decoder_pred.bias': torch.ones(3)})), None
    )
    foreign = {
        'embeddings.cls_token': 'Hugging Face',
        'dinov2.embeddings.patch_embeddings.projection.weight': 'Hugging Face',
        'teacher_embedding_model.wrapped_model._model.cls_token': 'lightly-train',
        'backbone.4.0.conv1.weight': 'nn.Sequential',
        'visual.trunk.cls_token': 'CLIP',
    }
    for key, message in foreign.items():
        yield Case(f'key {key}', saved({key: torch.ones(3)}), message)
    yield Case('legacy format', saved(lambda: dict(state_dict=vit, meta=meta()), zipped=False), None)
    extras = dict(
        counter=Counter([1, 1]),
        ordered=OrderedDict(a=1),
        array=np.arange(3),
        text=np.array(['a', 'bc']),
        scalar=np.float64(2.5),
        flag=np.bool_(True),
        numbers={1, 2},
        frozen=frozenset('ab'),
        raw=bytearray(b'ab'),
        dtype=torch.bfloat16,
        device=torch.device('cuda', 1),
        size=torch.Size([1, 2]),
        span=slice(1, 2),
        complex=1j,
        long=10**200,
        tied=[torch.ones(3)] * 2,
        parameter=[torch.nn.Parameter(torch.ones(2))],
        empty=[torch.empty(0, 128)],
        key={(1, 'a'): 2, 1.5: 3, None: 4},
    )
    for name, value in extras.items():
        for zipped in (True, False):
            write = saved(lambda value=value: dict(state_dict=vit, meta=meta(), extra=value), zipped)
            yield Case(f'{name} beside the weights, {"zip" if zipped else "legacy"}', write, None)
    writes = saved(lambda: make.ours(vit, vit, dict(type='SSLVisionTransformer', arch=make.ARCH)))
    yield Case('training checkpoint of this package', writes, None)


def all_cases():
    """Returns all cases, with unique names."""
    groups = (code_cases, numpy_cases, bound_cases, integrity_cases, file_cases, value_cases, accepted_cases)
    cases = [case for group in groups for case in group()]
    assert len({case.name for case in cases}) == len(cases)
    return cases


def outcome(case, folder, index):
    """Returns what is wrong with reading the case's file, or '' if all is as expected."""
    from mmssl_geo.checkpoints.encoder import load_encoder
    from mmssl_geo.utils.errors import UserError

    path = folder / f'{index}{case.suffix}'
    case.write(path)
    signal.alarm(SECONDS)
    try:
        load_encoder(path)
        message = None
    except UserError as error:
        message = str(error)
    finally:
        signal.alarm(0)
    if case.expected is None:
        return '' if message is None else f'refused: {message}'
    if message is None:
        return 'was read'
    if not re.search(case.expected, message) or '\n' in message or len(message) > 20_000:
        return f'message: {message}'
    return message if 'allow-unsafe' in message and 'would run code' not in case.expected else ''


def main(folder):
    """Reads all files and prints a JSON object: number of files, seconds, and what was wrong by the file's name."""
    torch.set_num_threads(1)
    cases = all_cases()
    os.chdir(folder)
    warm = Case('warm', saved(lambda: dict(state_dict=weights(), meta=meta())), None)
    assert not outcome(warm, Path(folder), 'warm'), 'a valid file cannot be read'
    with open('/proc/self/statm') as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    start, wrong = time.monotonic(), {}
    for index, case in enumerate(cases):
        print(index, case.name, file=sys.stderr, flush=True)  # the last line names the file that ended the process
        try:
            problem = outcome(case, Path(folder), index)
        except Exception as error:
            problem = f'{type(error).__name__}: {error}'
        if problem:
            wrong[case.name] = problem[:500]
    trap = os.path.exists('trap')
    print(json.dumps(dict(files=len(cases), seconds=time.monotonic() - start, wrong=wrong, code_was_run=trap)))


if __name__ == '__main__':
    main(sys.argv[1])
