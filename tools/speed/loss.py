"""Measures time and operator calls of losses, clipping and teacher update, for our code and the official code.

    python tools/speed/loss.py --batch-size 8 --reference DIR

Runs forward and backward on random feature maps of the sizes in the paper (ViT-S/16): 2 maps of 14 x 14 and 8 of 6 x 6
per image, 768 channels. Both codes get the same views, with the maps in the memory format that each network produces.
DIR is a checkout of github.com/bok3948/GTSA; without it only our code runs. The last line of the output is JSON.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from measuring import check_device, check_minimum, count_calls, ratio, time_interleaved
from mmengine.config import Config
from mmengine.registry import DefaultScope
from ready_batches import random_views
from reference import load_reference, official_boxes, official_model
from torch import Tensor

from mmssl_geo.structures import ViewBatch
from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.paths import resource_root

PARTS = ('losses', 'clipping', 'ema')
NUM_LOCAL, CHANNELS, WIDTH = 8, 768, 384


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--batch-size', type=int, default=8, help='images (default: 8)')
    parser.add_argument('--rounds', type=int, default=10, help='timed rounds (default: 10)')
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--threads', type=int, default=1, help='torch threads on a CPU (default: 1)')
    parser.add_argument('--reference', help='checkout of the official repository')
    args = parser.parse_args()
    check_device(args.device)
    check_minimum(args, batch_size=1, rounds=1, threads=1)
    return args


def our_parts(views: ViewBatch) -> dict[str, Callable[[], Any]]:
    """Returns one function for each part of our training step."""
    from mmssl_geo.engine.optimizers.optim_wrappers import clip_each_
    from mmssl_geo.registry import MODELS

    device, channels_last = views.turns.device, dict(memory_format=torch.channels_last)
    with DefaultScope.overwrite_default_scope('mmssl_geo'):
        model = MODELS.build(Config.fromfile(resource_root() / 'configs' / 'gtsa_vits16_coco.py').model).to(device)
    maps = {
        kind: random_maps(views, kind, CHANNELS).contiguous(**channels_last).requires_grad_() for kind in views.images()
    }
    features = {
        kind: random_maps(views, kind, WIDTH).contiguous(**channels_last).requires_grad_() for kind in views.images()
    }
    teacher = random_maps(views, 'global', CHANNELS, seed=1).contiguous(**channels_last)
    grads = [torch.randn_like(param) for param in model.parameters() if param.requires_grad]

    def losses() -> None:
        clear_gradients(maps.values(), features.values(), model.head.parameters())
        model.parse_losses(
            model.head.loss(features, maps, teacher, views.pairs(), views.turns_by_kind(), model.feature_stride)
        )[0].backward()

    return dict(losses=losses, clipping=lambda: clip_each_(grads, 3.0), ema=lambda: model.update_teacher(0.99))


def official_parts(reference: Any, views: ViewBatch) -> dict[str, Callable[[], Any]]:
    """Returns the same parts of the official code; its rotation loss includes converting angles to labels."""
    model = official_model(reference, NUM_LOCAL, views.turns.device)
    boxes = official_boxes(views)
    maps = [random_maps(views, kind, CHANNELS).requires_grad_() for kind in views.images()]
    tokens = [
        random_maps(views, kind, WIDTH).flatten(2).transpose(1, 2).contiguous().requires_grad_()
        for kind in views.images()
    ]
    teacher = random_maps(views, 'global', CHANNELS, seed=1)
    for param in model.parameters():
        param.grad = torch.randn_like(param) if param.requires_grad else None
    rotation_weights = list(model.rot_predictor.parameters())

    def losses() -> None:
        clear_gradients(maps, tokens, rotation_weights)
        crop, correspondence = model.roi_align([teacher], maps, boxes)
        rotation = model.rot_predict(tokens, {'angles': [angle.clone() for angle in boxes['angles']]})
        (crop + 0.5 * correspondence + 0.5 * rotation).backward()

    return dict(
        clipping=lambda: reference.misc.clip_gradients(model, 3.0),
        ema=lambda: model._update_momentum_encoder(0.99),
        losses=losses,
    )


def random_maps(views: ViewBatch, kind: str, channels: int, seed: int = 0) -> Tensor:
    images = views.images()[kind]
    generator = torch.Generator().manual_seed(seed + channels)
    side = images.shape[-1] // 16
    return torch.randn(len(images), channels, side, side, generator=generator).to(images.device)


def clear_gradients(*groups: Any) -> None:
    for group in groups:
        for tensor in group:
            tensor.grad = None


def measure(parts: Any, rounds: int, device: torch.device | str) -> Any:
    """Returns seconds per call and the number of operator calls, each by candidate and part."""
    calls = {name: {part: count_calls(functions[part]) for part in functions} for name, functions in parts.items()}
    seconds: dict[str, dict[str, float]] = {name: {} for name in parts}
    for part in PARTS:
        for name, value in time_interleaved({name: parts[name][part] for name in parts}, rounds, device).items():
            seconds[name][part] = value
    return seconds, calls


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    import mmssl_geo.models  # noqa: F401  (registers the model)

    views = random_views(args.batch_size, NUM_LOCAL, device=args.device)
    parts, kornia = {'ours': our_parts(views)}, None
    if args.reference:
        reference = load_reference(Path(args.reference))
        parts['official'], kornia = official_parts(reference, views), reference.kornia
    seconds, calls = measure(parts, args.rounds, args.device)
    print(f'{"part":<10}' + ''.join(f'{name + " ms":>14}{name + " calls":>16}' for name in parts))
    for part in PARTS:
        print(f'{part:<10}' + ''.join(f'{1000 * seconds[name][part]:>14.2f}{calls[name][part]:>16}' for name in parts))
    total = {name: sum(calls[name].values()) for name in parts}
    print(
        json.dumps(
            dict(
                batch_size=args.batch_size,
                device=args.device,
                kornia=kornia,
                milliseconds={name: {part: 1000 * value for part, value in of.items()} for name, of in seconds.items()},
                calls=calls,
                ratio_loss=ratio(seconds['ours']['losses'], seconds.get('official', {}).get('losses')),
                ratio_calls=ratio(total['ours'], total.get('official')),
            )
        )
    )


if __name__ == '__main__':
    run_tool(main)
