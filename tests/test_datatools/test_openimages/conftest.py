import csv
import random

import pytest

CLASSES = [('/m/0a', 'Ant'), ('/m/0b', 'Bee, wild'), ('/m/0c', 'Cat'), ('/m/0d', 'Dog'), ('/m/0e', 'Eel')]
HEADER = [
    'ImageID',
    'Source',
    'LabelName',
    'Confidence',
    'XMin',
    'XMax',
    'YMin',
    'YMax',
    'IsOccluded',
    'IsTruncated',
    'IsGroupOf',
    'IsDepiction',
    'IsInside',
]


def image_id(number):
    return f'{number * 0x123456789ABCDEF % 2**64:016x}'


def make_rows(count, seed, first=1):
    """`count` images (ids from number `first`) with 0 to 9 boxes; later classes are rarer; every 7th box is a group."""
    rng = random.Random(seed)
    rows = []
    for number in range(first, first + count):
        for k in range(number % 10):
            label = CLASSES[min(rng.randrange(5) for _ in range(2))][0]
            x1, y1 = rng.randrange(50) / 100, rng.randrange(50) / 100
            box = x1, x1 + rng.randrange(1, 51) / 100, y1, y1 + rng.randrange(1, 51) / 100
            rows.append(
                [image_id(number), 'xclick', label, 1, *(f'{edge:.6f}' for edge in box), 0, 0, int(k % 7 == 6), 0, 0]
            )
    return rows


def write_csv(path, header, rows):
    with open(path, 'w', newline='') as file:
        csv.writer(file).writerows([header] * bool(header) + rows)


@pytest.fixture
def download(tmp_path):
    """CSV files as a download has them: 200 training and 60 validation images."""
    root = tmp_path / 'csv'
    root.mkdir()
    write_csv(root / 'class-descriptions-boxable.csv', None, CLASSES)
    write_csv(
        root / 'oidv6-train-annotations-bbox.csv', HEADER + ['XClick1X'], [row + ['0.5'] for row in make_rows(200, 0)]
    )
    write_csv(root / 'validation-annotations-bbox.csv', HEADER, make_rows(60, 1, 1001))
    return root
