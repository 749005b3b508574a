"""Compares this package with values that the official GTSA code has computed, one line a quantity
after a line with the counts of the set.

    python tools/check_parity.py tests/data/parity

Exit status: 0 if every difference is within its tolerance, 1 if one is not, 2 if a file or an array is missing or
cannot be used. docs/parity.md says what a reference set holds.
"""
import argparse
import sys

from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError

CONFIG = 'configs/gtsa_vits16_coco.py'


def parse_args(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', metavar='DIR', help='folder with the six files of a reference set')
    return parser.parse_args(argv)


def compare(folder):
    """Prints a line of counts and one a quantity; returns how many there were and how many of them differ."""
    from mmssl_geo.apis.train import load_config
    from mmssl_geo.parity import Reference, check_parity, describe
    from mmssl_geo.utils.paths import resource_root
    reference = Reference.read(folder)
    print(describe(reference), flush=True)
    quantities = []
    for quantity in check_parity(load_config(resource_root() / CONFIG), reference):
        print(quantity, flush=True)
        quantities.append(quantity)
    return len(quantities), sum(not quantity.holds for quantity in quantities)


def main(argv=None):
    args = parse_args(argv)
    try:
        total, differing = compare(args.folder)
    except UserError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print(f'{differing} of {total} quantities differ' if differing else f'all {total} quantities hold')
    return 1 if differing else 0


if __name__ == '__main__':
    run_tool(main)
