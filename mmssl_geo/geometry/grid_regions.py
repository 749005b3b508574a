"""Random boxes on a grid: regions for images without proposals."""

import numpy as np


def grid_boxes(
    rng: np.random.Generator,
    image_size: tuple[float, float] = (1, 1),
    grid: int = 3,
    area: tuple[float, float] = (0.12, 0.30),
    aspect: tuple[float, float] = (0.5, 2.0),
) -> np.ndarray:
    """Samples one box for every cell of a grid (D3SSL's authors' later code, region collaborative cutout).

    The centre of a box is uniform in the middle half of its cell (half of each side), its area is uniform and its
    aspect log-uniform; then it is clipped to the image. Area and aspect refer to the image stretched to a square, the
    frame of the views in which the authors sample (so boxes are wide in a wide image: our choice).

    Args:
        rng: Source of all randomness.
        image_size: Height and width of the frame of the returned boxes, in pixels.
        grid: Number of cells along either side.
        area: Smallest and largest area before clipping, as a share of the image's.
        aspect: Smallest and largest width / height before clipping, in the stretched image.

    Returns:
        Boxes in that frame, float64, row-major by cell, shape (grid * grid, 4); none is empty.

    Raises:
        ValueError: If a range is impossible.
    """
    if grid < 1 or not 0 < area[0] <= area[1] <= 1 or not 0 < aspect[0] <= aspect[1]:
        raise ValueError(
            f'a grid of {grid} with areas {tuple(area)} and aspects {tuple(aspect)} cannot be sampled: '
            'grid must be at least 1, ranges must satisfy 0 < smallest <= largest, and areas at most 1'
        )
    cells = np.stack(np.meshgrid(np.arange(grid), np.arange(grid)), axis=-1).reshape(-1, 2)
    centres = (cells + rng.uniform(0.25, 0.75, cells.shape)) / grid
    areas = rng.uniform(*area, len(cells))
    aspects = np.exp(rng.uniform(np.log(aspect[0]), np.log(aspect[1]), len(cells)))
    half_sides = np.stack([np.sqrt(areas * aspects), np.sqrt(areas / aspects)], axis=-1) / 2
    boxes = np.concatenate([centres - half_sides, centres + half_sides], axis=-1).clip(0, 1)
    height, width = image_size
    return boxes * (width, height, width, height)
