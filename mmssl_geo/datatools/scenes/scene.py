"""One scene: places objects, sorts them by depth, removes almost hidden ones and draws the rest back to front."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .options import CLASSES, SceneOptions
from .shapes import signed_distance
from .textures import background, object_texture

MIN_VISIBLE = 0.3
"""Smallest visible share of an object; parts hidden by others or outside the image are not visible."""

PLACE_NEAR = 0.5
"""Probability that an object is placed near an earlier one, so that they overlap."""


@dataclass(frozen=True)
class Scene:
    """One scene.

    Attributes:
        image: RGB image, shape (S, S, 3), uint8.
        instances: Instance map, shape (S, S), int32: 0 is the background, `k` the visible part of object `k - 1`;
            objects are ordered back to front.
        labels: Class id of every object; 1 is `CLASSES[0]`.
    """

    image: NDArray
    instances: NDArray
    labels: tuple[int, ...]

    @property
    def semantic(self) -> NDArray:
        """Map of class ids, shape (S, S), uint8; 0 is the background."""
        return np.array((0,) + self.labels, np.uint8)[self.instances]


@dataclass(frozen=True)
class _Object:
    """A placed object. Its grid of points covers the whole object, including parts outside the image."""

    label: int
    centre: tuple[float, float]  # x, y in pixels
    radius: float  # pixels
    tilt: float  # radians
    aspect: float
    texture_seed: int

    @property
    def name(self) -> str:
        return CLASSES[self.label - 1]

    @property
    def origin(self) -> tuple[int, int]:
        """Image row and column of the first grid pixel; may be negative."""
        x, y = self.centre
        return int(np.floor(y - self.radius)) - 2, int(np.floor(x - self.radius)) - 2

    def points(self) -> tuple[NDArray, NDArray]:
        """Returns the x and y coordinates of the grid's pixel centres in the object frame, each of shape (h, w)."""
        side = int(np.ceil(2 * self.radius)) + 5
        row, column = self.origin
        x, y = np.meshgrid(
            np.arange(side) + column + 0.5 - self.centre[0], np.arange(side) + row + 0.5 - self.centre[1]
        )
        cos, sin = np.cos(self.tilt) / self.radius, np.sin(self.tilt) / self.radius
        return x * cos + y * sin, y * cos - x * sin

    def distance(self) -> NDArray:
        """Returns the signed distance to the outline in units of the radius, shape (h, w)."""
        return signed_distance(self.name, self.aspect, *self.points())

    def windows(self, shape: tuple[int, ...], size: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Returns the slices of the image and of a grid of the given shape that cover the same pixels."""
        (row, column), (height, width) = self.origin, shape
        top, bottom = max(row, 0), min(row + height, size)
        left, right = max(column, 0), min(column + width, size)
        image = slice(top, bottom), slice(left, right)
        return image, (slice(top - row, bottom - row), slice(left - column, right - column))


def make_scene(options: SceneOptions, split: int, index: int) -> Scene:
    """Draws one scene of a split; the result depends on the arguments alone.

    Args:
        options: Settings of the set.
        split: Number of the split (0 train, 1 val); splits share no scene.
        index: Number of the scene in its split. The class of the front-most object is `index % options.classes`, so
            that `options.classes` consecutive scenes show every class.
    """
    rng = np.random.default_rng([options.seed, split, index])
    objects = _place(rng, options, front_label=index % options.classes + 1)
    masks = [o.distance() <= 0 for o in objects]
    objects, masks = _drop_hidden(objects, masks, options.size)
    canvas = background(rng, options.size, options.clutter)
    instances = np.zeros((options.size, options.size), np.int32)
    for number, (placed, mask) in enumerate(zip(objects, masks, strict=True), start=1):
        _draw_shadow(canvas, placed)
        _draw(canvas, placed)
        window, part = placed.windows(mask.shape, options.size)
        instances[window][mask[part]] = number
    canvas += rng.normal(0, 0.01, canvas.shape)
    image = (np.clip(canvas, 0, 1) * 255 + 0.5).astype(np.uint8)
    return Scene(image, instances, tuple(o.label for o in objects))


def _place(rng: Generator, options: SceneOptions, front_label: int) -> list[_Object]:
    """Places objects and sorts them back to front; lower objects are nearer."""
    spots: list[tuple[NDArray, float]] = []
    for _ in range(rng.integers(options.objects[0], options.objects[1] + 1)):
        radius = options.size * rng.uniform(*options.radius)
        low, high = 0.6 * radius, options.size - 0.6 * radius
        centre = rng.uniform(low, high, size=2)
        if spots and rng.uniform() < PLACE_NEAR:
            other, other_radius = spots[rng.integers(len(spots))]
            angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 1.0) * (radius + other_radius)
            centre = np.clip(other + reach * np.array([np.cos(angle), np.sin(angle)]), low, high)
        spots.append((centre, radius))
    spots.sort(key=lambda spot: spot[0][1] + spot[1])
    labels = [int(rng.integers(1, options.classes + 1)) for _ in spots[1:]] + [front_label]
    return [
        _Object(label, tuple(centre), radius, rng.uniform(-0.4, 0.4), rng.uniform(0.7, 1.4), int(rng.integers(2**31)))
        for label, (centre, radius) in zip(labels, spots, strict=True)
    ]


def _drop_hidden(objects: list[_Object], masks: list[NDArray], size: int) -> tuple[list[_Object], list[NDArray]]:
    """Removes the most hidden object until at least `MIN_VISIBLE` of every object is visible."""
    while True:
        instances = np.full((size, size), -1)
        for number, (placed, mask) in enumerate(zip(objects, masks, strict=True)):
            window, part = placed.windows(mask.shape, size)
            instances[window][mask[part]] = number
        shares = [np.count_nonzero(instances == number) / mask.sum() for number, mask in enumerate(masks)]
        worst = int(np.argmin(shares))
        if shares[worst] >= MIN_VISIBLE:
            return objects, masks
        objects = objects[:worst] + objects[worst + 1 :]
        masks = masks[:worst] + masks[worst + 1 :]


def _draw(canvas: NDArray, placed: _Object) -> None:
    """Draws the object with a soft edge of one pixel, lit from above."""
    distance = placed.distance()
    window, part = placed.windows(distance.shape, len(canvas))
    rng = np.random.default_rng(placed.texture_seed)
    x, y = placed.points()
    colours = object_texture(rng, placed.name, x, y, distance, grain_px=0.3 * placed.radius)
    rows = np.arange(distance.shape[0])[:, None, None] / distance.shape[0]
    colours = colours * (1.12 - 0.3 * rows)
    cover = np.clip(0.5 - distance * placed.radius, 0, 1)[..., None]
    canvas[window] += cover[part] * (colours[part] - canvas[window])


def _draw_shadow(canvas: NDArray, placed: _Object) -> None:
    """Darkens the pixels behind the lower right of the object."""
    shift = 0.12
    x, y = placed.points()
    distance = signed_distance(placed.name, placed.aspect, x - shift, y - shift)
    window, part = placed.windows(distance.shape, len(canvas))
    canvas[window] *= 1 - 0.45 * np.clip(0.5 - distance / 0.15, 0, 1)[part][..., None]
