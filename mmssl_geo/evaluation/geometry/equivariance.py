"""Do features move with the image? 0: exactly as the image; 1: no more than unrelated cells of it are alike."""
import torch

from mmssl_geo.geometry import cell_centres, pair_boxes, pool_boxes, rotate_maps
from mmssl_geo.utils.errors import UserError


def unit_cells(maps, centre):
    """Cells as directions from a centre.

    Args:
        maps: `(N, C, h, w)`.
        centre: `(C,)`. Without one, the offset that all features share makes everything look alike.

    Returns:
        `(N, h * w, C)`, of length 1; 0 where a cell is the centre but for rounding.
    """
    cells = maps.flatten(2).transpose(1, 2)
    away = cells - centre
    length = away.norm(dim=-1, keepdim=True)
    rounding = 1e-5 * (cells.norm(dim=-1, keepdim=True) + centre.norm())
    return torch.where(length > rounding, away / length, 0.)


def equivariance_error(cells, others, asked=None):
    """How far cells are from their counterparts, as a share of how far they are from other cells of the same map.

    `(1 - mean cosine of cell p and its counterpart p) / (1 - mean cosine of cell p and cell q, p != q)`; the means
    are over all cells p of all images. Where all cells of a map are alike, which tells nothing of their places, it is
    1 (our choice).

    Args:
        cells: `(N, P, C)` directions, of `unit_cells`.
        others: `(N, P, C)` directions; `others[n, p]` shows what `cells[n, p]` shows.
        asked: `(N, P)` bool, the cells that count; all by default. An image with one only is left out.

    Returns:
        float: 0 if counterparts agree, 1 if they agree no more than other cells do, more if they agree less.
    """
    asked = torch.ones(cells.shape[:2]) if asked is None else asked.double()
    asked = asked * (asked.sum(dim=1, keepdim=True) > 1)  # a cell without others has nothing to be compared with
    cells, others = (values.double() * asked.unsqueeze(-1) for values in (cells, others))
    counts = asked.sum(dim=1)
    own = (cells * others).sum(dim=(1, 2))
    every = (cells.sum(dim=1) * others.sum(dim=1)).sum(dim=1)
    matched = 1 - (own.sum() / counts.sum()).item()
    unrelated = 1 - (((every - own) / (counts - 1)).sum() / counts.sum()).item()
    return matched / unrelated if unrelated > 1e-6 else 1.


def turn_equivariance_error(turned_maps, centre):
    """Equivariance error under quarter turns: map of the turned image against the turned map of the image.

    Args:
        turned_maps: `(4, N, C, h, w)`, square maps of N images in their four turns.
        centre: `(C,)`, what directions are taken from.

    Returns:
        float: `equivariance_error` over images and the turns 1, 2 and 3.
    """
    of_turned = torch.cat([unit_cells(turned_maps[turn], centre) for turn in (1, 2, 3)])
    turned = torch.cat([unit_cells(rotate_maps(turned_maps[0], turn), centre) for turn in (1, 2, 3)])
    return equivariance_error(of_turned, turned)


def crop_equivariance_error(first, second, crop_boxes_src, centre):
    """Equivariance error under crops: the common part of two crops of an image, pooled from either map.

    The common part is pooled to 5/7 of the map's side, as GTSA's crop loss does it. Those cells count whose places in
    the two views do not lie over each other: a feature that tells nothing but its place in the view must not look
    equivariant (our choice).

    Args:
        first, second: `(N, C, h, w)`, maps of the two crops, not turned.
        crop_boxes_src: `(N, 2, 4)`, their rectangles in the source images.
        centre: `(C,)`, what directions are taken from.

    Returns:
        float: `equivariance_error` over images and pooled cells.

    Raises:
        UserError: there are none of them.
    """
    num, (height, width) = len(first), first.shape[-2:]
    # Cells serve as view pixels, so the boxes come in cells.
    pairs = pair_boxes(crop_boxes_src, torch.zeros(num, 2, dtype=torch.long), [(height, width)] * 2, num_global=1)
    boxes = pairs.teacher_boxes_view[:, 0, 1], pairs.student_boxes_view[:, 0, 1]
    size = max(2, height * 5 // 7), max(2, width * 5 // 7)
    of_first, of_second = (unit_cells(pool_boxes(maps, own, torch.arange(num), size), centre)
                           for maps, own in zip((first, second), boxes, strict=True))
    (places, extent), (other_places, other_extent) = (_places(own, size) for own in boxes)
    moved = ((places - other_places).abs() >= (extent + other_extent) / 2).any(dim=-1)
    if (moved.sum(dim=1) < 2).all():
        raise UserError('the two crops of every image show the same at the same place: take images of less extreme '
                        'shape, or a larger --size')
    return equivariance_error(of_first, of_second, moved)


def _places(boxes, size):
    """Centres `(N, P, 2)`, row-major, and width and height `(N, 1, 2)` of the cells into which boxes are pooled."""
    extent = (boxes[:, None, 2:] - boxes[:, None, :2]) / torch.tensor([size[1], size[0]])
    return boxes[:, None, :2] + cell_centres(*size) * extent, extent
