"""DINO's loss and centre against algorithm 1 of the paper, on hand-made cases and random scores."""

import math

import pytest
import torch

from mmssl_geo.models import DINOHead, DINOLoss
from mmssl_geo.models.heads import dino_head


def make_head(num_prototypes, **kwargs):
    return DINOHead(num_prototypes, dict(type='mmssl_geo.DINOLoss'), **kwargs)


def test_a_hand_computed_case():
    """One image, two prototypes, one global and one local view; probabilities 0.8 and 0.25 of the first prototype."""
    head = make_head(2, teacher_temperature=0.5)
    head.center.copy_(torch.tensor([1.0, 3.0]))
    teacher = torch.tensor([[[1.0 + 0.5 * math.log(4.0), 3.0]]])  # centred and sharpened: log 4 and 0
    student = torch.tensor(
        [[[0.0, 5.0]], [[0.0, 0.1 * math.log(3.0)]]]
    )  # the global view does not contribute to the loss
    losses = head.loss(student, teacher)
    expected = -0.8 * math.log(0.25) - 0.2 * math.log(0.75)
    entropy = -0.8 * math.log(0.8) - 0.2 * math.log(0.2)
    assert losses['loss_dino'].item() == pytest.approx(expected, abs=1e-6)
    assert losses['teacher_entropy'].item() == pytest.approx(entropy, abs=1e-6)
    assert losses['teacher_kl'].item() == pytest.approx(expected - entropy, abs=1e-6)
    assert [name for name in losses if 'loss' in name] == ['loss_dino']
    assert head.center.tolist() == pytest.approx([0.9 + 0.1 * (1 + 0.5 * math.log(4.0)), 3.0])


def paper_loss(student, teacher, center, teacher_temperature, student_temperature=0.1):
    """Algorithm 1 with multi-crop: the mean over all pairs of different views."""
    terms = []
    for q in range(len(teacher)):
        for v in range(len(student)):
            if v != q:
                t = torch.softmax((teacher[q] - center) / teacher_temperature, dim=1)
                s = torch.softmax(student[v] / student_temperature, dim=1)
                terms.append(-(t * torch.log(s)).sum(dim=1).mean())
    return sum(terms) / len(terms)


@pytest.mark.parametrize('num_global,num_views', [(2, 10), (2, 2), (1, 3), (3, 4)])
def test_steps_of_the_published_algorithm(num_global, num_views):
    """Loss, gradient and centre of three steps: each loss takes the centre of the steps before it."""
    head, center = make_head(7).double(), torch.zeros(7, dtype=torch.float64)
    for step in range(3):
        head.teacher_temperature = 0.04 + 0.01 * step
        student = (0.3 * torch.randn(num_views, 4, 7, dtype=torch.float64)).requires_grad_()
        teacher = 0.3 * torch.randn(num_global, 4, 7, dtype=torch.float64)
        loss = head.loss(student, teacher)['loss_dino']
        expected = paper_loss(student, teacher, center, head.teacher_temperature)
        torch.testing.assert_close(loss, expected)
        torch.testing.assert_close(*(torch.autograd.grad(value, student)[0] for value in (loss, expected)))
        center = 0.9 * center + 0.1 * teacher.reshape(-1, 7).mean(dim=0)
        torch.testing.assert_close(head.center, center)


def test_the_centre_takes_in_all_processes(monkeypatch):
    """The other process's mean is (5, 1): the mean over both is (3, 2)."""

    def all_reduce(value, op):
        assert op == 'mean'
        value.add_(torch.tensor([5.0, 1.0])).div_(2)

    monkeypatch.setattr(dino_head, 'all_reduce', all_reduce)
    head = make_head(2, center_momentum=0.75)
    head.update_center(torch.tensor([[[0.0, 2.0], [2.0, 4.0]]]))
    assert head.center.tolist() == [0.75, 0.5]


def test_no_gradient_reaches_the_teacher_or_the_centre():
    head = make_head(5)
    student, teacher = torch.randn(3, 2, 5, requires_grad=True), torch.randn(2, 2, 5, requires_grad=True)
    head.loss(student, teacher)['loss_dino'].backward()
    assert student.grad.abs().sum() > 0 and teacher.grad is None
    assert not head.center.requires_grad and not list(head.parameters())
    assert list(head.state_dict()) == ['center'], 'the centre is saved'


def test_the_monitored_values_show_collapse():
    """Constant scores: the target is uniform once centred, one prototype if not; the student follows it either way."""
    head = make_head(8)
    constant = torch.zeros(8)
    constant[3] = 20.0
    one = head.loss(constant.expand(4, 2, 8), constant.expand(2, 2, 8))
    assert one['teacher_entropy'] < 1e-5 and one['teacher_kl'] < 1e-5
    head.center.copy_(constant)
    uniform = head.loss(torch.zeros(4, 2, 8), constant.expand(2, 2, 8))
    assert uniform['teacher_entropy'].item() == pytest.approx(math.log(8)) and uniform['teacher_kl'].abs() < 1e-6
    healthy = head.loss(torch.randn(4, 2, 8), torch.randn(2, 2, 8))
    assert healthy['teacher_kl'] > 0.5


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_scores_are_compared_in_float32(dtype):
    head, exact = make_head(64), make_head(64)
    student, teacher = torch.randn(4, 3, 64).to(dtype), torch.randn(2, 3, 64).to(dtype)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = head.loss(student, teacher)
    assert losses['loss_dino'].dtype == head.center.dtype == torch.float32
    assert torch.equal(losses['loss_dino'], exact.loss(student.float(), teacher.float())['loss_dino'])
    assert torch.equal(head.center, exact.center)


def test_the_students_temperature():
    scores, targets = torch.randn(3, 2, 6), torch.rand(1, 2, 6)
    losses = DINOLoss(student_temperature=0.5)(scores, targets)
    assert losses.shape == (1, 3, 2)
    torch.testing.assert_close(losses[0, 1, 1], -(targets[0, 1] * torch.log_softmax(2 * scores[1, 1], dim=0)).sum())
