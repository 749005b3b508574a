"""All comparisons, one after the other."""
from .maps import loss_quantities, net_quantities, stored_output_quantities
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
