"""Draws the views of images as a config's pipeline makes them, with the boxes that a global view shares with the rest.

    python tools/browse_views.py configs/gtsa_vits16_coco.py --images photos/ --index 0 7 --query 1

Left: the source with every crop. Right: the views as the net sees them, after photometrics and quarter turns.
Of a D3SSL config: every view with its regions, holes, filled surroundings and shift (over the next image's background).
"""
import argparse
import tempfile
from pathlib import Path

from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.config import Overrides
from mmssl_geo.utils.errors import UserError


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='pretraining config file')
    parser.add_argument('--images', help="folder of images, or one image file (default: the config's)")
    parser.add_argument('--index', type=int, nargs='+', default=[0], help='which images of the dataset (default: 0)')
    parser.add_argument('--epoch', type=int, default=0, help='0-based; every epoch draws other views (default: 0)')
    parser.add_argument('--query', type=int, default=0,
                        help='global view whose pairs are drawn; not for D3SSL (default: 0)')
    parser.add_argument('--out', default='work_dirs/views_{index}.png',
                        help='.png to write; {index} stands for the image (default: %(default)s)')
    parser.add_argument('--cfg-options', nargs='+', action=Overrides, help='key=value overrides of the config')
    return parser.parse_args()


def check_args(args):
    """Finds what cannot work before anything is read.

    Raises:
        UserError: says which option is wrong.
    """
    if not args.out.lower().endswith('.png'):
        raise UserError(f'--out {args.out}: has to end in .png')
    if len(set(args.index)) > 1 and '{index}' not in args.out:
        raise UserError(f'--out {args.out}: {len(set(args.index))} images need names of their own; '
                        'write {index} into it')
    if args.epoch < 0:
        raise UserError(f'--epoch {args.epoch}: epochs count from 0')
    if args.images and not Path(args.images).exists():
        raise UserError(f'--images {args.images}: there is no such file or folder')


def build_dataset(cfg, images, list_folder):
    """The config's training dataset, whose samples keep their views as pictures (they are not packed).

    Args:
        cfg: config.
        images: None, a folder or a file in place of the config's images.
        list_folder: folder for a list of the one file.

    Raises:
        UserError: if the config has no multi-crop pipeline, or there is no image.
    """
    from mmssl_geo.datasets import pipeline_steps
    from mmssl_geo.registry import DATASETS
    dataset = (cfg.get('train_dataloader') or {}).get('dataset') or {}
    steps = pipeline_steps(dataset.get('pipeline', ()))
    pipeline = [step for step in steps if step['type'].rsplit('.')[-1] not in ('PackViews', 'PackRegionViews')]
    pipeline = [{**step, 'where': 'worker'} if step['type'].endswith('RandomViewPhotometrics') else step
                for step in pipeline]  # no data preprocessor comes after it here
    if not any(step['type'].rsplit('.')[-1] in ('MultiCrop', 'RegionViews') for step in pipeline):
        raise UserError(f'config {cfg.filename}: train_dataloader.dataset.pipeline makes no views (no MultiCrop or '
                        'RegionViews in it): give a pretraining config')
    dataset = {**dataset, 'pipeline': pipeline}
    if images and Path(images).is_dir():
        dataset.update(data_root=images, data_prefix='', ann_file=None)
    elif images:
        listed = Path(list_folder) / 'one_image.txt'
        listed.write_text(f'{Path(images).absolute()}\n', encoding='utf-8')
        dataset.update(data_root=str(Path(images).parent), data_prefix='', ann_file=str(listed))
    return DATASETS.build(dataset)


def draw(dataset, index, args):
    """Writes the picture of one image.

    Raises:
        UserError: if there is no such image or no such global view.
    """
    if not 0 <= index < len(dataset):
        raise UserError(f'--index {index}: the images are 0 to {len(dataset) - 1}')
    sample = dataset[index, args.epoch]
    if sample['unreadable']:
        print(f'image {index} cannot be read, the next one is shown in its place: {sample["unreadable"]}')
    name = Path(sample['img_path']).name
    title = f'{name if len(name) <= 60 else "…" + name[-59:]}   (image {index}, epoch {args.epoch})'
    figure = make_figure(dataset, index, sample, args, title)
    out = Path(args.out.replace('{index}', str(index)))
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out)
    print(f'{out}: {len(sample["views"])} views of {sample["img_path"]}')


def make_figure(dataset, index, sample, args, title):
    """The picture of a multi-crop or D3SSL sample.

    Raises:
        UserError: if there is no such global view.
    """
    from mmssl_geo.visualization import region_figure, view_figure
    if isinstance(sample['views'], dict):
        return region_figure(sample, title, dataset[(index + 1) % len(dataset), args.epoch]['views']['x2']['img'])
    num_global = sum(record.is_global for _, record in sample['views'])
    if not 0 <= args.query < num_global:
        raise UserError(f'--query {args.query}: the global views are 0 to {num_global - 1}')
    return view_figure(sample['img'], sample['views'], args.query, title)


def main():
    args = parse_args()
    check_args(args)
    from mmssl_geo.apis.train import load_config
    cfg = load_config(args.config, args.cfg_options)
    with tempfile.TemporaryDirectory() as list_folder:
        dataset = build_dataset(cfg, args.images, list_folder)
    for index in dict.fromkeys(args.index):
        draw(dataset, index, args)


if __name__ == '__main__':
    run_tool(main)
