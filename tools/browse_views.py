"""Draws the views that the pipeline of a pretraining config makes of an image, and what they have in common.

    python tools/browse_views.py configs/gtsa_vits16_coco.py --images photos/ --index 0 7 --query 1

Left: the source image with every crop. Right: the views as the net sees them, after colour augmentation and rotation.
For a D3SSL config: every view with its regions, holes, filled surroundings and shift; the background of the shifted
view is the next image.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.config import CfgOptionsAction
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import check_writable

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mmengine.config import Config

    from mmssl_geo.datasets import ImageListDataset


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('config', help='pretraining config file')
    add('--images', help='folder of images, or one image file (default: the images of the config)')
    add('--index', type=int, nargs='+', default=[0], help='indices of the images to draw (default: 0)')
    add('--epoch', type=int, default=0, help='epoch, from 0; every epoch samples other views (default: 0)')
    add(
        '--query',
        type=int,
        default=0,
        help='global view whose overlaps with the other views are drawn; not used for D3SSL (default: 0)',
    )
    add(
        '--out',
        default='work_dirs/views_{index}.png',
        help='.png file to write; {index} is replaced by the index of the image (default: %(default)s)',
    )
    add('--cfg-options', nargs='+', action=CfgOptionsAction, help='key=value overrides of the config')
    return parser.parse_args()


def check_args(args: argparse.Namespace) -> None:
    """Checks the options before any data is read.

    Raises:
        UserError: If an option is wrong.
    """
    if not args.out.lower().endswith('.png'):
        raise UserError(f'--out {args.out}: must end in .png')
    check_writable(args.out)
    if len(set(args.index)) > 1 and '{index}' not in args.out:
        raise UserError(
            f'--out {args.out}: {len(set(args.index))} images need different file names; write {{index}} into the name'
        )
    if args.epoch < 0:
        raise UserError(f'--epoch {args.epoch}: must be at least 0')
    if args.images and not Path(args.images).exists():
        raise UserError(f'--images {args.images}: no such file or folder')


def build_dataset(cfg: Config, images: str | None, list_folder: str) -> ImageListDataset:
    """Builds the training dataset of a config without the packing step, so that samples keep their views as images.

    Args:
        cfg: The config.
        images: A folder or a file to use instead of the images of the config.
        list_folder: Folder to write the list of a single file to.

    Raises:
        UserError: If the pipeline makes no views, or there is no image.
    """
    from mmssl_geo.datasets import pipeline_steps
    from mmssl_geo.registry import DATASETS

    dataset = (cfg.get('train_dataloader') or {}).get('dataset') or {}
    steps = pipeline_steps(dataset.get('pipeline', ()))
    pipeline = [step for step in steps if type_name(step) not in ('PackViews', 'PackRegionViews')]
    # there is no data preprocessor here that would apply the colour augmentation
    pipeline = [
        {**step, 'where': 'worker'}
        if isinstance(step, Mapping) and type_name(step) == 'MultiViewPhotometricAugmentation'
        else step
        for step in pipeline
    ]
    if not any(type_name(step) in ('MultiCrop', 'RegionViews') for step in pipeline):
        raise UserError(
            f'config {cfg.filename}: train_dataloader.dataset.pipeline makes no views (it has no MultiCrop '
            'or RegionViews step); use a pretraining config'
        )
    dataset = {**dataset, 'pipeline': pipeline}
    if images and Path(images).is_dir():
        dataset.update(data_root=images, data_prefix='', ann_file=None)
    elif images:
        ann_file = Path(list_folder) / 'one_image.txt'
        ann_file.write_text(f'{Path(images).absolute()}\n', encoding='utf-8')
        dataset.update(data_root=str(Path(images).parent), data_prefix='', ann_file=str(ann_file))
    return DATASETS.build(dataset)


def type_name(step: Mapping[str, Any] | Callable) -> str:
    """Returns the type of a step without its scope, or '' for a callable."""
    return step['type'].rsplit('.')[-1] if isinstance(step, Mapping) else ''


def draw(dataset: ImageListDataset, index: int, args: argparse.Namespace) -> None:
    """Writes the figure of one image.

    Raises:
        UserError: If there is no such image or no such global view.
    """
    if not 0 <= index < len(dataset):
        raise UserError(f'--index {index}: must be from 0 to {len(dataset) - 1}')
    sample = dataset[index, args.epoch]
    if sample['unreadable']:
        print(f'image {index} cannot be read, the next one is drawn instead: {sample["unreadable"]}')
    name = Path(sample['img_path']).name
    title = f'{name if len(name) <= 60 else "…" + name[-59:]}   (image {index}, epoch {args.epoch})'
    figure = make_figure(dataset, index, sample, args, title)
    out = Path(args.out.replace('{index}', str(index)))
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out)
    print(f'{out}: {len(sample["views"])} views of {sample["img_path"]}')


def make_figure(
    dataset: ImageListDataset, index: int, sample: dict[str, Any], args: argparse.Namespace, title: str
) -> Figure:
    """Draws the figure of a multi-crop or D3SSL sample.

    Raises:
        UserError: If there is no such global view.
    """
    from mmssl_geo.visualization import region_figure, view_figure

    if isinstance(sample['views'], dict):
        return region_figure(sample, title, dataset[(index + 1) % len(dataset), args.epoch]['views']['x2']['img'])
    num_global = sum(record.is_global for _, record in sample['views'])
    if not 0 <= args.query < num_global:
        raise UserError(f'--query {args.query}: must be a global view, 0 to {num_global - 1}')
    return view_figure(sample['img'], sample['views'], args.query, title)


def main() -> None:
    args = parse_args()
    check_args(args)
    from mmssl_geo.apis.config import load_config

    cfg = load_config(args.config, args.cfg_options)
    with tempfile.TemporaryDirectory() as list_folder:
        dataset = build_dataset(cfg, args.images, list_folder)
    for index in dict.fromkeys(args.index):
        draw(dataset, index, args)


if __name__ == '__main__':
    run_tool(main)
