"""JPEG decoding that reports what libjpeg only prints."""

import contextlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import IO, NamedTuple

import numpy as np
import torch
from torchvision.io import ImageReadMode, decode_jpeg

DAMAGE = re.compile(r'premature end|bad Huffman code|instead of RST', re.IGNORECASE)
"""Warnings after which pixels are missing or wrong. Others, such as extraneous bytes before a marker, are harmless."""
LIBJPEG = re.compile(r'JPEG|JFIF|Adobe|progression|scanlines|quantization|marker', re.IGNORECASE)

_lock = threading.Lock()
_capture: tuple[int, IO[bytes]] | None = None


class Decoded(NamedTuple):
    """A decoded JPEG.

    Attributes:
        image: RGB image as stored, uint8, shape (H, W, 3).
        warning: libjpeg's first warning in one line, or ''.
    """

    image: np.ndarray
    warning: str

    @property
    def damage(self) -> str:
        """The warning if pixels are missing or wrong, or ''."""
        return self.warning if DAMAGE.search(self.warning) else ''


def decode_rgb(data: bytes) -> Decoded | None:
    """Decodes a JPEG with torchvision's fast decoder.

    Args:
        data: Contents of the file.

    Returns:
        The image, or None if torchvision cannot decode it.
    """
    with _captured_stderr() as lines:
        try:
            image = decode_jpeg(torch.frombuffer(data, dtype=torch.uint8), mode=ImageReadMode.RGB)
        except RuntimeError:
            return None
    return Decoded(np.ascontiguousarray(image.permute(1, 2, 0).numpy()), ' '.join(lines))


@contextlib.contextmanager
def _captured_stderr() -> Iterator[list[str]]:
    """Yields a list that receives libjpeg's lines on the process's standard error; other lines are passed on."""
    lines: list[str] = []
    with _lock:
        try:
            file, saved = _capture_file(), os.dup(2)
        except OSError:  # standard error is closed, or there is no temporary folder
            file = None
        if file is None:
            yield lines
            return
        sys.stderr.flush()
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            if os.lseek(file.fileno(), 0, os.SEEK_CUR):
                lines += _take(file)


def _capture_file() -> IO[bytes]:
    """Returns this process's file for captured output; forked processes would share one."""
    global _capture
    if _capture is None or _capture[0] != os.getpid():
        _capture = os.getpid(), tempfile.TemporaryFile()
    return _capture[1]


def _take(file: IO[bytes]) -> list[str]:
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    text = os.read(file.fileno(), 2**16).decode(errors='replace')
    os.ftruncate(file.fileno(), 0)
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    lines = [line for line in text.splitlines() if line]
    for line in lines:
        if not LIBJPEG.search(line):
            print(line, file=sys.stderr)
    return [line for line in lines if LIBJPEG.search(line)]
