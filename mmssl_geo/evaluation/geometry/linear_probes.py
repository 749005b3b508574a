"""What a linear probe reads from frozen features: the turn of an image, and the place of a patch."""
import torch
import torch.nn.functional as F

from mmssl_geo.evaluation.linear_probe import fit_logistic, fit_ridge
from mmssl_geo.geometry import cell_centres

TURNS = 4
# A fixed penalty would favour nets of few channels, or of many. The best one is taken (our choice).
PENALTIES = (0.01, 0.1, 1., 10., 100.)


def rotation_readout(turned_maps, train, test):
    """Accuracy of a linear probe on averaged features that says by how many quarter turns an image is turned.

    Args:
        turned_maps: `(4, N, C, h, w)`, the maps of N images in their four turns.
        train, test: indices of the images that the probe is fitted on (two or more), and that it is tested on.

    Returns:
        tuple: the share of the test images' turns that are told rightly, and 0.25, the chance.
    """
    pooled = turned_maps.mean(dim=(-2, -1))

    def fit(images, penalty):
        return fit_logistic(pooled[:, images].flatten(0, 1), _turns_of(len(images)), TURNS, penalty)

    def loss(probe, images):
        return F.cross_entropy(probe(pooled[:, images].flatten(0, 1)), _turns_of(len(images))).item()

    told = fit_with_best_penalty(fit, loss, train)(pooled[:, test].flatten(0, 1)).argmax(dim=1)
    return (told == _turns_of(len(test))).double().mean().item(), 1 / TURNS


def position_readout(maps, train, test):
    """Error of a linear probe on single cells that says where in the view they are.

    Args:
        maps: `(N, C, h, w)`, the maps of N images.
        train, test: indices of the images that the probe is fitted on (two or more), and that it is tested on.

    Returns:
        tuple: the mean distance from the told place to the cell's centre, and that from the view's middle to the
        cell's centre (the chance), both in sides of the view.
    """
    height, width = maps.shape[-2:]
    places = cell_centres(height, width).double() / torch.tensor([width, height])

    def fit(images, penalty):
        return fit_ridge(_cells(maps[images]), places.repeat(len(images), 1), penalty)

    def error(probe, images):
        told = probe(_cells(maps[images])).view(len(images), -1, 2)
        return (told - places).norm(dim=-1).mean().item()

    probe = fit_with_best_penalty(fit, error, train)
    return error(probe, test), (places - 0.5).norm(dim=-1).mean().item()


def fit_with_best_penalty(fit, loss, train, penalties=PENALTIES):
    """Probe of all images to fit on, with the penalty that is best when one half of them judges the other's probe.

    Args:
        fit: function from indices of images and a penalty to a probe.
        loss: function from a probe and indices of images to a number, small if the probe is good.
        train: indices of two or more images.
        penalties: to choose from.
    """
    best = min(penalties, key=lambda penalty: loss(fit(train[::2], penalty), train[1::2]))
    return fit(train, best)


def _turns_of(num_images):
    """Labels of `(4, num_images)` turned images, flat."""
    return torch.arange(TURNS).repeat_interleave(num_images)


def _cells(maps):
    """`(N * h * w, C)` of maps `(N, C, h, w)`, row-major."""
    return maps.flatten(2).transpose(1, 2).flatten(0, 1)
