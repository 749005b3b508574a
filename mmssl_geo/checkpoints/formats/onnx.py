"""Encoders as ONNX files."""
import contextlib
import importlib.util
import inspect
import io
import warnings
from dataclasses import dataclass

import torch
from torch import nn

from mmssl_geo.checkpoints.io import write_whole
from mmssl_geo.utils.errors import UserError

OPSET = 17
INPUT = 'images'


@dataclass(frozen=True)
class OnnxForm:
    """What an encoder is in an ONNX file; the batch size is always free.

    Attributes:
        net: module from images (B, C, H, W), normalised, to a tuple of outputs, float32, eval mode.
        outputs: their names.
        size: height and width in pixels of the images that the net is traced with.
        free_size: whether images may have another size.
    """
    net: nn.Module
    outputs: tuple
    size: tuple
    free_size: bool


def write_onnx(form, in_channels, path):
    """Writes the file whole or not at all, by torch's tracing exporter.

    Raises:
        UserError: the place cannot be written to.
    """
    names = (INPUT, *form.outputs)
    axes = {name: {0: 'batch', **({2: f'{name}_height', 3: f'{name}_width'} if form.free_size else {})}
            for name in names}
    # the exporter by torch.export, the default of new torch, needs more packages and keeps the weights beside
    tracing = dict(dynamo=False) if 'dynamo' in inspect.signature(torch.onnx.export).parameters else {}
    written = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter('ignore')  # of Python values in the trace: the sizes, which are fixed or free as said
        torch.onnx.export(form.net, (torch.zeros(1, in_channels, *form.size), ), written, input_names=[INPUT],
                          output_names=list(form.outputs), dynamic_axes=axes, opset_version=OPSET, **tracing)
    write_whole(path, written.getvalue())


def onnx_outputs(path):
    """Function from float64 images to the file's outputs, run by onnxruntime on the CPU in float32."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    return lambda images: [torch.from_numpy(output).double()
                           for output in session.run(None, {INPUT: images.float().numpy()})]


def require_onnx():
    """Raises a UserError unless torch's exporter and the proof have the packages that they need."""
    missing = [name for name in ('onnx', 'onnxruntime') if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"--to onnx needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
                        "installed: pip install onnx onnxruntime, or the extra 'mmssl_geo[onnx]'")
