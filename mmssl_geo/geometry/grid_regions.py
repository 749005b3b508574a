"""Random boxes on a grid: regions for images without proposals."""
import numpy as np


def grid_boxes(rng, image_size=(1, 1), grid=3, area=(0.12, 0.30), aspect=(0.5, 2.0)):
    """One random box for every cell of a grid (D3SSL's authors' later code, region collaborative cutout).

    A box's centre is uniform in the middle half of its cell (the half of each side), its area uniform, its aspect
    log-uniform; then it is clipped to the image. Area and aspect are those of the image stretched to a square, the
    frame of the views in which the authors draw (so in a wide image boxes are wide: our choice).

    Args:
        rng: `numpy.random.Generator`.
        image_size: `(height, width)` in pixels of the frame wanted.
        grid: cells along either side.
        area: smallest and largest area before clipping, as a share of the image's.
        aspect: smallest and largest width / height before clipping, in the stretched image.

    Returns:
        `(grid * grid, 4)` float64 boxes in that frame, row-major by cell; none is empty.

    Raises:
        ValueError: a range is impossible.
    """
    if grid < 1 or not 0 < area[0] <= area[1] <= 1 or not 0 < aspect[0] <= aspect[1]:
        raise ValueError(f'a grid of {grid} with areas {tuple(area)} and aspects {tuple(aspect)} cannot be drawn: '
                         'it takes a grid of 1 or more, 0 < smallest <= largest, and areas up to 1')
    cells = np.stack(np.meshgrid(np.arange(grid), np.arange(grid)), axis=-1).reshape(-1, 2)
    centres = (cells + rng.uniform(0.25, 0.75, cells.shape)) / grid
    areas = rng.uniform(*area, len(cells))
    aspects = np.exp(rng.uniform(*np.log(aspect), len(cells)))
    half_sides = np.stack([np.sqrt(areas * aspects), np.sqrt(areas / aspects)], axis=-1) / 2
    boxes = np.concatenate([centres - half_sides, centres + half_sides], axis=-1).clip(0, 1)
    height, width = image_size
    return boxes * (width, height, width, height)
