"""Converts a pretraining checkpoint into the file that mmpretrain, mmdet, mmseg, timm or ONNX Runtime loads.

    python tools/convert_checkpoint.py work_dirs/gtsa/epoch_100.pth gtsa_vits16.pth --to mmdet
    python tools/convert_checkpoint.py work_dirs/gtsa/epoch_100.pth gtsa_vits16.onnx --to onnx
    python tools/convert_checkpoint.py work_dirs/gtsa/epoch_100.pth gtsa_vits16 --to huggingface    # a folder

What is written is loaded again and its features are compared with the source's before it is kept.
"""
import argparse

from mmssl_geo.utils.cli import run_tool


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('src', help='checkpoint of this project, of the official GTSA, DINO, iBOT or denseSSL code, '
                        'or of an encoder alone (timm, torchvision, mmpretrain)')
    parser.add_argument('dst', help='file to write: .pth or .safetensors, .onnx for ONNX, a new folder for huggingface')
    parser.add_argument('--to', required=True, choices=['mmpretrain', 'mmdet', 'mmseg', 'timm', 'huggingface', 'onnx'])
    parser.add_argument('--weights', default='teacher', choices=['teacher', 'student'])
    parser.add_argument('--num-heads', type=int, help='where neither the file nor 64 channels a head tells')
    parser.add_argument('--patch-size', type=int, help='in pixels; an error if the weights say otherwise')
    parser.add_argument('--allow-unsafe', action='store_true',
                        help='read a file that runs code while it is read; only if you trust whoever made it')
    return parser.parse_args()


def main():
    args = parse_args()
    from mmssl_geo.checkpoints import convert
    print(f'converting {args.src}, then comparing features ...', flush=True)
    print(convert(args.src, args.dst, args.to, args.weights, args.num_heads, args.patch_size, args.allow_unsafe))
    return 0


if __name__ == '__main__':
    run_tool(main)
