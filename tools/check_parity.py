"""Compares this package with values computed by the official GTSA code: one line per quantity, after the set's sizes.

    python tools/check_parity.py tests/data/parity

Exit status: 0 if every difference is within its tolerance, 1 if one is not, 2 if a file or an array is missing or
cannot be used. docs/parity.md describes the reference set.
"""

import argparse
import sys
from collections.abc import Sequence

from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError

CONFIG = 'configs/gtsa_vits16_coco.py'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', metavar='DIR', help='folder with the six files of a reference set')
    return parser.parse_args(argv)


def compare(folder: str) -> tuple[int, int]:
    """Prints the sizes of the set and every quantity; returns the numbers of all and of differing quantities."""
    from mmssl_geo.apis.config import load_config
    from mmssl_geo.parity import Reference, check_parity, describe
    from mmssl_geo.utils.paths import resource_root

    reference = Reference.read(folder)
    print(describe(reference), flush=True)
    quantities = []
    for quantity in check_parity(load_config(resource_root() / CONFIG, use_environment=False), reference):
        print(quantity, flush=True)
        quantities.append(quantity)
    return len(quantities), sum(not quantity.holds for quantity in quantities)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    try:
        total, num_differing = compare(args.folder)
    except UserError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print(f'{num_differing} of {total} quantities differ' if num_differing else f'all {total} quantities hold')
    return 1 if num_differing else 0


if __name__ == '__main__':
    run_tool(main)
