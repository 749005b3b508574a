"""All comparisons in order."""

from collections.abc import Iterator

from mmengine.config import Config

from .maps import loss_quantities, net_quantities, stored_output_quantities
from .models import student_size
from .quantity import Quantity
from .reference import Reference
from .schedules import schedule_quantities
from .steps import step_quantities
from .views import box_quantities

COMPARISONS = (
    box_quantities,
    loss_quantities,
    stored_output_quantities,
    net_quantities,
    step_quantities,
    schedule_quantities,
)


def check_parity(cfg: Config, reference: Reference) -> Iterator[Quantity]:
    """Compares the components that a pretraining config builds with a reference set.

    Args:
        cfg: The shipped config, `configs/gtsa_vits16_coco.py`; sizes and numbers come from the set.
        reference: The reference set.

    Yields:
        Each quantity as soon as it is known.

    Raises:
        UserError: If the checkpoint or an array of the training steps does not fit the rest of the set.
    """
    for compare in COMPARISONS:
        yield from compare(cfg, reference)


def describe(reference: Reference) -> str:
    """Returns the sizes of a reference set in one line.

    Raises:
        UserError: Names the weight that is missing or has another number of dimensions.
    """
    samples, views = reference.boxes['angles'].shape
    net_views, images = reference.tiny_model['angles'].shape
    width, depth = student_size(reference.weights)
    return (
        f'{samples} samples of {views} views; losses of {reference.losses["angles"].shape[1]} images; '
        f'net of width {width}, {depth} blocks, {images} images of {net_views} views; '
        f'{len(reference.train_steps["lr"])} training steps; {len(reference.schedules["lr"])} iterations'
    )
