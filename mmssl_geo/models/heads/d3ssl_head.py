"""Head of D3SSL: predicts, matches the views and weights the two losses."""

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmssl_geo.registry import MODELS
from mmssl_geo.utils.checks import check_numbers
from mmssl_geo.utils.tensors import at_least_float32

# (student's view, teacher's view) of the two losses: the authors' figure
DC_PAIRS = (('x1_cut', 'x2'), ('x2_small', 'x1'))
DP_PAIRS = (('x3', 'x2'), ('x3', 'x1'))


@MODELS.register_module()
class D3SSLHead(BaseModule):
    """De-coupling loss and de-positioning loss over matching regions (D3SSL, figure of the authors).

    Each loss sums the terms of its pairs of views, as SoCo's code sums the two directions; a term is the mean over
    regions.

    Args:
        predictor: Config of the student's predictor.
        loss: Config of the loss on two vectors of a region.
        dc_weight: Weight of the de-coupling loss; 1 is our choice (not published).
        dp_weight: Weight of the de-positioning loss, which exists only with a view x3; 1 is our choice.
        init_cfg: As in mmengine.
    """

    def __init__(
        self,
        predictor: dict[str, Any],
        loss: dict[str, Any],
        dc_weight: float = 1.0,
        dp_weight: float = 1.0,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        check_numbers('D3SSLHead', at_least=0, dc_weight=dc_weight, dp_weight=dp_weight)
        super().__init__(init_cfg)
        self.predictor = MODELS.build(predictor)
        self.loss_module = MODELS.build(loss)
        self.dc_weight = dc_weight
        self.dp_weight = dp_weight

    def predict(self, projections: dict[str, Tensor]) -> dict[str, Tensor]:
        """Applies the predictor to the student's projections of every view, each of shape (M, D)."""
        return {name: self.predictor(vectors) for name, vectors in projections.items()}

    def loss(self, predictions: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, Tensor]:
        """Computes the weighted losses of a batch and values to monitor.

        Args:
            predictions: The student's predictions of `x1_cut`, `x2_small` and, for the de-positioning loss, `x3`, each
                of shape (M, D).
            targets: The teacher's projections of `x1` and `x2`, shape (M, D), the same regions in the same order.

        Returns:
            `loss_dc` and, with x3, `loss_dp` (weighted; their sum is the total loss), and the mean cosine behind each,
            `cosine_dc` and `cosine_dp`.
        """
        losses = {}
        with torch.autocast(targets['x1'].device.type, enabled=False):
            predictions = {name: at_least_float32(vectors) for name, vectors in predictions.items()}
            targets = {name: at_least_float32(vectors.detach()) for name, vectors in targets.items()}
            losses.update(self._weighted_loss('dc', DC_PAIRS, self.dc_weight, predictions, targets))
            if 'x3' in predictions:
                losses.update(self._weighted_loss('dp', DP_PAIRS, self.dp_weight, predictions, targets))
        return losses

    def _weighted_loss(
        self,
        name: str,
        view_pairs: tuple[tuple[str, str], ...],
        weight: float,
        predictions: dict[str, Tensor],
        targets: dict[str, Tensor],
    ) -> dict[str, Tensor]:
        pairs = [(predictions[student], targets[teacher]) for student, teacher in view_pairs]
        terms = [self.loss_module(prediction, target).mean() for prediction, target in pairs]
        cosines = [F.cosine_similarity(prediction.detach(), target, dim=1) for prediction, target in pairs]
        return {f'loss_{name}': weight * sum(terms), f'cosine_{name}': torch.cat(cosines).mean()}
