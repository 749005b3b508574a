"""Settings of a set of scenes."""

from dataclasses import dataclass

from mmssl_geo.utils.errors import UserError

CLASSES = ('ball', 'crate', 'tent', 'star', 'ring', 'cross')
"""Class names; `CLASSES[k]` has the id `k + 1` in annotations and semantic maps, and 0 is the background."""

MIN_RADIUS_PX = 4
MAX_OBJECTS = 64


@dataclass(frozen=True)
class SceneOptions:
    """Settings of a set of scenes. A small net learns the defaults in minutes on two CPU cores.

    Attributes:
        size: Side of the square images in pixels, 32 to 4096.
        seed: Non-negative integer; the same options give the same bytes.
        classes: How many of `CLASSES` appear, counted from the first.
        objects: Minimum and maximum number of objects placed in a scene. Almost hidden objects are then removed.
        radius: Minimum and maximum radius of an object, as a fraction of `size`.
        clutter: Contrast of the background texture, from 0 (uniform) to 1 (as strong as that of the objects).

    Raises:
        UserError: If a setting is out of range.
    """

    size: int = 128
    seed: int = 0
    classes: int = 3
    objects: tuple[int, int] = (2, 4)
    radius: tuple[float, float] = (0.13, 0.26)
    clutter: float = 0.3

    def __post_init__(self) -> None:
        _check(32 <= self.size <= 4096, f'size is {self.size}; choose 32 to 4096 pixels')
        _check(self.seed >= 0, f'seed is {self.seed}; choose 0 or more')
        _check(1 <= self.classes <= len(CLASSES), f'classes is {self.classes}; choose 1 to {len(CLASSES)}')
        fewest, most = self.objects
        _check(
            1 <= fewest <= most <= MAX_OBJECTS,
            f'objects is {fewest} to {most}; choose two numbers from 1 to {MAX_OBJECTS}, in ascending order',
        )
        smallest, largest = self.radius
        _check(
            0 < smallest <= largest <= 0.5,
            f'radius is {smallest} to {largest}; choose two fractions up to 0.5, in ascending order',
        )
        _check(
            smallest * self.size >= MIN_RADIUS_PX,
            f'the smallest radius, {smallest} of {self.size} pixels, is below {MIN_RADIUS_PX} pixels; '
            'choose a larger size or radius',
        )
        _check(0 <= self.clutter <= 1, f'clutter is {self.clutter}; choose 0 to 1')


def _check(valid: bool, sentence: str) -> None:
    if not valid:
        raise UserError(f'scene setting {sentence}')
