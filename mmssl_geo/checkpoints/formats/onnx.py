"""Encoders as ONNX files."""

import contextlib
import importlib.util
import inspect
import io
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import write_bytes

OPSET = 17
INPUT = 'images'


@dataclass(frozen=True)
class OnnxModel:
    """A model for an ONNX file. The batch size is always dynamic.

    Attributes:
        net: Module from normalised images, shape (B, C, H, W), to a tuple of outputs, float32, in eval mode.
        outputs: Names of the outputs.
        size: Height and width in pixels of the images for tracing.
        dynamic_size: Whether images may have another size.
    """

    net: nn.Module
    outputs: tuple[str, ...]
    size: tuple[int, int]
    dynamic_size: bool


def write_onnx(model: OnnxModel, in_channels: int, path: str | os.PathLike) -> None:
    """Writes an ONNX file atomically with torch's tracing exporter.

    Raises:
        UserError: If the file cannot be written.
    """
    names = (INPUT, *model.outputs)
    axes = {
        name: {0: 'batch', **({2: f'{name}_height', 3: f'{name}_width'} if model.dynamic_size else {})}
        for name in names
    }
    # The exporter based on torch.export, the default of new versions, needs more packages and writes several files.
    export: Callable[..., object] = torch.onnx.export
    tracing = dict(dynamo=False) if 'dynamo' in inspect.signature(export).parameters else {}
    buffer = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter('ignore')  # about Python values in the trace; these are the sizes
        export(
            model.net,
            (torch.zeros(1, in_channels, *model.size),),
            buffer,
            input_names=[INPUT],
            output_names=list(model.outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            **tracing,
        )
    write_bytes(path, buffer.getvalue())


def onnx_outputs(path: str | os.PathLike) -> Callable[[Tensor], list[Tensor]]:
    """Returns the function from float64 images to the file's outputs, run by ONNX Runtime on the CPU in float32."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    return lambda images: [
        torch.from_numpy(output).double() for output in session.run(None, {INPUT: images.float().numpy()})
    ]


def require_onnx() -> None:
    """Checks that the packages for exporting and verifying ONNX files are installed.

    Raises:
        UserError: Names the missing packages.
    """
    missing = [name for name in ('onnx', 'onnxruntime') if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f'--to onnx needs {" and ".join(missing)}, which {"is" if len(missing) == 1 else "are"} not '
            "installed: pip install onnx onnxruntime, or the extra 'mmssl_geo[onnx]'"
        )
