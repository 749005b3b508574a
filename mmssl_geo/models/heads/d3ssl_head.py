"""Head of D3SSL: predicts, pairs the views and weighs the two losses."""
import torch
import torch.nn.functional as F
from mmengine.model import BaseModule

from mmssl_geo.registry import MODELS

# (student's view, teacher's view) of the two modules: the authors' figure
DC_PAIRS = (('x1_cut', 'x2'), ('x2_small', 'x1'))
DP_PAIRS = (('x3', 'x2'), ('x3', 'x1'))


@MODELS.register_module()
class D3SSLHead(BaseModule):
    """De-coupling loss and de-positioning loss over matching regions (D3SSL, figure of the authors).

    The terms of a loss are summed, as the two directions are in SoCo's code; each is a mean over regions.

    Args:
        predictor: config of the student's predictor.
        loss: config of the loss on two vectors of a region.
        dc_weight: weight of the de-coupling loss; 1, our choice (not published).
        dp_weight: weight of the de-positioning loss, which there is only if there is a view x3; 1, our choice.
    """

    def __init__(self, predictor, loss, dc_weight=1., dp_weight=1., init_cfg=None):
        super().__init__(init_cfg)
        self.predictor = MODELS.build(predictor)
        self.loss_module = MODELS.build(loss)
        self.dc_weight = dc_weight
        self.dp_weight = dp_weight

    def predict(self, projections):
        """Student projections by view -> predictions by view, `(M, D)` each."""
        return {name: self.predictor(vectors) for name, vectors in projections.items()}

    def loss(self, predictions, targets):
        """The weighted losses of a batch and what is worth watching.

        Args:
            predictions: the student's, by view: `x1_cut`, `x2_small` and, for the de-positioning loss, `x3`; `(M, D)`.
            targets: the teacher's projections of `x1` and `x2`, `(M, D)`, the same regions in the same order.

        Returns:
            dict: `loss_dc`, with x3 also `loss_dp` (weighted; their sum is the total loss), and the mean cosine
            behind each, `cosine_dc` and `cosine_dp`.
        """
        losses = {}
        with torch.autocast(targets['x1'].device.type, enabled=False):
            predictions = {name: _at_least_float32(vectors) for name, vectors in predictions.items()}
            targets = {name: _at_least_float32(vectors.detach()) for name, vectors in targets.items()}
            losses.update(self._weighted('dc', DC_PAIRS, self.dc_weight, predictions, targets))
            if 'x3' in predictions:
                losses.update(self._weighted('dp', DP_PAIRS, self.dp_weight, predictions, targets))
        return losses

    def _weighted(self, module, pairs, weight, predictions, targets):
        pairs = [(predictions[student], targets[teacher]) for student, teacher in pairs]
        terms = [self.loss_module(prediction, target).mean() for prediction, target in pairs]
        cosines = [F.cosine_similarity(prediction.detach(), target, dim=1) for prediction, target in pairs]
        return {f'loss_{module}': weight * sum(terms), f'cosine_{module}': torch.cat(cosines).mean()}


def _at_least_float32(vectors):
    return vectors.float() if vectors.dtype in (torch.float16, torch.bfloat16) else vectors
