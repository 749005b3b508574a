"""Options that the tools which measure frozen features share; without torch, so that `--help` is quick."""


def add_shared_options(parser, out):
    """Adds the options of nets, images and output.

    Args:
        parser: argparse.ArgumentParser.
        out: default of `--out`.
    """
    add = parser.add_argument
    add('checkpoints', nargs='+', metavar='CKPT', help='checkpoints of any layout the converter knows')
    add('--images', required=True, help='folder of images, or a .txt list of paths')
    add('--names', nargs='+', help="one a checkpoint, for table and picture (default: the file's)")
    add('--random', action='store_true', help="also measure random weights in the first checkpoint's architecture")
    add('--weights', choices=['teacher', 'student'], default='teacher',
        help='which encoder of checkpoints that hold both (default: %(default)s)')
    add('--num-heads', type=int, help='heads of the nets, where neither file nor width tells')
    add('--num-images', type=int, default=200, help='at most; chosen at random (default: %(default)s)')
    add('--size', type=int, default=224, help='side of the views in pixels (default: %(default)s)')
    add('--seeds', type=int, default=3, help='number of splits of the images (default: %(default)s)')
    add('--seed', type=int, default=0, help='of all that is drawn, the random weights too (default: %(default)s)')
    add('--batch-size', type=int, default=32, help='views at a time (default: %(default)s)')
    add('--device', choices=['auto', 'cpu', 'cuda'], default='auto', help='auto, the default: a GPU if there is one')
    add('--allow-unsafe', action='store_true', help='read checkpoints that run code; only your own')
    add('--out', default=out, help='.png to write (default: %(default)s)')
