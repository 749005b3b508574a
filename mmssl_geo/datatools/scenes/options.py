"""What a set of scenes looks like, and which settings are possible."""
from dataclasses import dataclass

from mmssl_geo.utils.errors import UserError

CLASSES = ('ball', 'crate', 'tent', 'star', 'ring', 'cross')
"""Names of the classes; class `CLASSES[k]` has the id `k + 1` in annotations and semantic maps, 0 is background."""

MIN_RADIUS_PX = 4
MAX_OBJECTS = 64


@dataclass(frozen=True)
class SceneOptions:
    """Settings of a set of scenes; the defaults can be learnt by a small net in minutes on two CPU cores.

    Attributes:
        size: side of the square images in pixels, 32 to 4096.
        seed: non-negative integer; the same options give the same bytes.
        classes: how many of `CLASSES` (from the first) appear.
        objects: fewest and most objects that a scene starts with (nearly hidden ones are then left out).
        radius: smallest and largest radius of an object, as a fraction of `size`.
        clutter: contrast of the background's texture, 0 (calm) to 1 (as strong as the objects').

    Raises:
        UserError: a setting is out of its range.
    """
    size: int = 128
    seed: int = 0
    classes: int = 3
    objects: tuple = (2, 4)
    radius: tuple = (0.13, 0.26)
    clutter: float = 0.3

    def __post_init__(self):
        _check(32 <= self.size <= 4096, f'size is {self.size}; choose 32 to 4096 pixels')
        _check(self.seed >= 0, f'seed is {self.seed}; choose 0 or more')
        _check(1 <= self.classes <= len(CLASSES), f'classes is {self.classes}; choose 1 to {len(CLASSES)}')
        fewest, most = self.objects
        _check(1 <= fewest <= most <= MAX_OBJECTS,
               f'objects is {fewest} to {most}; choose two numbers from 1 to {MAX_OBJECTS}, the smaller one first')
        smallest, largest = self.radius
        _check(0 < smallest <= largest <= 0.5,
               f'radius is {smallest} to {largest}; choose two fractions up to 0.5, the smaller one first')
        _check(smallest * self.size >= MIN_RADIUS_PX,
               f'the smallest radius, {smallest} of {self.size} pixels, is below {MIN_RADIUS_PX} pixels; '
               'choose a larger size or radius')
        _check(0 <= self.clutter <= 1, f'clutter is {self.clutter}; choose 0 to 1')


def _check(possible, sentence):
    if not possible:
        raise UserError(f'scene setting {sentence}')
