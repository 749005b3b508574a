"""Do patches find their counterparts in another view?"""
import torch

from mmssl_geo.geometry import cell_centres, source_to_view, view_to_source
from mmssl_geo.utils.errors import UserError

from .equivariance import unit_cells

TIE = 1e-6


def correspondence_precision(first, second, crop_boxes_src, turns, centre, tolerance=1.):
    """Share of patches whose nearest neighbour in another view of the image lies at the right place.

    Asked are the patches of the first view whose centre lies in the second, more than `tolerance` cells away from
    the same place there: a feature that tells nothing but its place in the view finds none. Right is a neighbour (by
    cosine) whose centre is within `tolerance` cells of the true place, in x and in y. Where several are equally near,
    the share of right ones counts.

    Args:
        first, second: `(N, C, h, w)`, maps of two crops of each image; the first is upright.
        crop_boxes_src: `(N, 2, 4)`, their rectangles in the source images.
        turns: `(N,)`, counter-clockwise quarter turns of the second; where there are any, maps must be square.
        centre: `(C,)`, what directions are taken from.
        tolerance: cells of the second view.

    Returns:
        tuple: the share over all patches asked, and that of a patch taken at random (the chance).

    Raises:
        UserError: no patch is asked.
    """
    size = torch.tensor(first.shape[-2:])
    centres = cell_centres(*size.tolist())
    found, by_chance, num_asked = 0., 0., 0
    # Image by image: similarities and distances of all pairs of patches need much memory. Cells serve as pixels.
    for number, boxes in enumerate(crop_boxes_src):
        true_places = source_to_view(view_to_source(centres, boxes[0], 0, size), boxes[1], turns[number], size)
        inside = ((true_places >= 0) & (true_places < size.flip(-1))).all(dim=-1)
        asked = inside & ((true_places - centres).abs().amax(dim=-1) > tolerance)
        near = (true_places[asked, None] - centres).abs().amax(dim=-1) <= tolerance
        cosines = (unit_cells(first[number, None], centre)[0][asked] @ unit_cells(second[number, None], centre)[0].T)
        nearest = cosines >= cosines.amax(dim=1, keepdim=True) - TIE
        found += ((nearest & near).sum(dim=1) / nearest.sum(dim=1)).sum().item()
        by_chance += near.double().mean(dim=1).sum().item()
        num_asked += int(asked.sum())
    if not num_asked:
        raise UserError(f'no patch lies more than {tolerance} cells away from its place in the other view: lower '
                        '--tolerance, or take images of less extreme shape')
    return found / num_asked, by_chance / num_asked
