"""Checks and measures single things for `gpu_report.py`: operators of mmcv, equal checkpoints, matrix products."""

import argparse
import json
import time
from typing import Any

import torch
from torch import Tensor

from mmssl_geo.checkpoints import read_checkpoint
from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError

TOLERANCE = 1e-4


def compare_operators(device: str) -> dict[str, float]:
    """Returns the largest difference between the CPU and the device for RoIAlign and NMS.

    Raises:
        UserError: If one of them is above 1e-4.
    """
    from mmcv.ops import nms, roi_align

    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(2, 8, 32, 32, generator=generator)
    corners = torch.rand(64, 2, generator=generator) * 20
    boxes = torch.cat([corners, corners + 1 + torch.rand(64, 2, generator=generator) * 11], 1)
    rois = torch.cat([torch.arange(64)[:, None] % 2, boxes], 1)
    scores = torch.rand(64, generator=generator)

    def difference(ours: Tensor, theirs: Tensor) -> float:
        return float((ours.cpu() - theirs).abs().max()) if ours.shape == theirs.shape else float('inf')

    found = dict(
        roi_align=difference(
            roi_align(maps.to(device), rois.to(device), 7, 1.0, 0, 'avg', True), roi_align(maps, rois, 7, 1.0, 0)
        ),
        nms=difference(nms(boxes.to(device), scores.to(device), 0.5)[0], nms(boxes, scores, 0.5)[0]),
    )
    wrong = {name: value for name, value in found.items() if not value <= TOLERANCE}
    if wrong:
        raise UserError(f'operators of mmcv differ between the CPU and {device}: {wrong}')
    return found


def compare_checkpoints(first: str, second: str) -> dict[str, Any]:
    """Returns how much the weights of two checkpoints differ.

    Raises:
        UserError: If they have other tensors, or differ by more than 1e-4 of the largest weight.
    """
    a, b = (read_checkpoint(path)['state_dict'] for path in (first, second))
    if a.keys() != b.keys():
        raise UserError(f'{first} and {second} hold other tensors')
    largest = max(float((a[key].double() - b[key].double()).abs().max()) for key in a)
    scale = max(float(value.double().abs().max()) for value in a.values())
    if largest > TOLERANCE * scale:
        raise UserError(f'the weights of {first} and {second} differ by {largest:.3g}')
    return dict(tensors=len(a), largest_difference=largest, bitwise=largest == 0)


def matrix_rate(device: str, side: int) -> dict[str, Any]:
    """Measures the rate of products of square bfloat16 matrices in TFLOP/s."""
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))

    def seconds() -> float:
        start = time.perf_counter()
        _ = a @ b
        if device == 'cuda':
            torch.cuda.synchronize()
        return time.perf_counter() - start

    best = min(seconds() for _ in range(10))
    return dict(side=side, tflops=round(2 * side**3 / best / 1e12, 3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--compare', nargs=2, metavar='CHECKPOINT', help='two checkpoints whose weights must be equal')
    parser.add_argument('--matrix-rate', type=int, metavar='SIDE', help='time products of matrices of this side')
    args = parser.parse_args()
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    if args.compare:
        result = compare_checkpoints(*args.compare)
    elif args.matrix_rate:
        result = matrix_rate(device, args.matrix_rate)
    else:
        result = compare_operators(device)
    print(json.dumps(result))


if __name__ == '__main__':
    run_tool(main)
