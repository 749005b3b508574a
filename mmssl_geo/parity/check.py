"""All comparisons, one after the other."""
from .maps import loss_quantities, net_quantities, stored_output_quantities
from .models import net_size
from .schedules import schedule_quantities
from .steps import step_quantities
from .views import box_quantities


def check_parity(cfg, reference):
    """Compares the parts that a pretraining config builds with a reference set.

    Args:
        cfg: the shipped config, `configs/gtsa_vits16_coco.py`; widths and numbers come from the set.
        reference: `Reference`.

    Yields:
        Quantity: as soon as it is known.

    Raises:
        UserError: the checkpoint or an array of the training steps is not as the others ask for.
    """
    for compare in (box_quantities, loss_quantities, stored_output_quantities, net_quantities, step_quantities,
                    schedule_quantities):
        yield from compare(cfg, reference)


def describe(reference):
    """One line with the counts of a reference set.

    Raises:
        UserError: names the weight that is missing or has other dimensions.
    """
    samples, views = reference.boxes['angles'].shape
    net_views, images = reference.tiny_model['angles'].shape
    width, depth = net_size(reference.weights)
    return (
        f'{samples} samples of {views} views; losses of {reference.losses["angles"].shape[1]} images; '
        f'net of width {width}, {depth} blocks, {images} images of {net_views} views; '
        f'{len(reference.train_steps["lr"])} training steps; {len(reference.schedules["lr"])} iterations')
