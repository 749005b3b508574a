"""Converts a pretraining checkpoint into a file for mmpretrain, mmdet, mmseg, timm, Hugging Face or ONNX Runtime.

    python tools/convert_checkpoint.py work_dirs/gtsa/epoch_100.pth gtsa_vits16.pth --to mmdet
    python tools/convert_checkpoint.py work_dirs/gtsa/epoch_100.pth gtsa_vits16.onnx --to onnx
    python tools/convert_checkpoint.py work_dirs/gtsa/epoch_100.pth gtsa_vits16 --to huggingface    # a folder

The written file is loaded again and kept only if its features equal those of the source.
"""

import argparse

from mmssl_geo.utils.cli import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'src',
        help='checkpoint of this project, of the official GTSA, DINO, iBOT or denseSSL code, or of a single encoder '
        '(timm, torchvision, mmpretrain)',
    )
    parser.add_argument(
        'dst', help='file to write: .pth or .safetensors; .onnx for --to onnx; a new folder for --to huggingface'
    )
    parser.add_argument(
        '--to',
        required=True,
        choices=['mmpretrain', 'mmdet', 'mmseg', 'timm', 'huggingface', 'onnx'],
        help='package that loads the file',
    )
    parser.add_argument(
        '--weights',
        default='teacher',
        choices=['teacher', 'student'],
        help='which network of a training checkpoint to convert (default: teacher, the EMA weights)',
    )
    parser.add_argument(
        '--num-heads',
        type=int,
        help='attention heads of a ViT; needed if the file does not store them and the width is not a multiple of 64 '
        '(default: 64 channels per head)',
    )
    parser.add_argument(
        '--patch-size', type=int, help='patch size of a ViT in pixels; an error if the weights contradict it'
    )
    parser.add_argument(
        '--allow-unsafe',
        action='store_true',
        help='read a file that runs code when it is read; only for a file you trust',
    )
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    from mmssl_geo.checkpoints import convert

    print(f'converting {args.src}, then comparing features ...', flush=True)
    print(convert(args.src, args.dst, args.to, args.weights, args.num_heads, args.patch_size, args.allow_unsafe))
    return 0


if __name__ == '__main__':
    run_tool(main)
