import math

import pytest
import torch
import torch.nn.functional as F

from mmssl_geo.models import CropSimilarityLoss, DecorrelationLoss, PatchCorrespondenceLoss
from mmssl_geo.utils.errors import UserError


def test_crop_loss_of_a_patch_and_its_turned_copy_is_minus_one():
    teacher = torch.randn(4, 6, 5, 5, dtype=torch.double)
    turns = torch.tensor([0, 1, 2, 3])
    student = torch.stack([torch.rot90(patch, int(turn), (-2, -1)) for patch, turn in zip(teacher, turns, strict=True)])
    torch.testing.assert_close(CropSimilarityLoss()(3 * student, teacher, turns), -torch.ones(4).double())
    assert (CropSimilarityLoss()(student, teacher, turns + 1) > -0.5).all()


def test_crop_loss_of_a_hand_computed_case():
    student = torch.tensor([[[[1.0, 0.0]], [[0.0, 2.0]]]])  # tokens (1, 0) and (0, 2)
    teacher = torch.tensor([[[[3.0, 1.0]], [[4.0, 1.0]]]])  # tokens (3, 4) and (1, 1)
    # One row of two cells cannot be turned per map, so it is made square by repeating it.
    student, teacher = student.expand(1, 2, 2, 2), teacher.expand(1, 2, 2, 2)
    loss = CropSimilarityLoss()(student, teacher, torch.tensor([0]))
    assert loss.item() == pytest.approx(-(3 / 5 + math.sqrt(0.5)) / 2)


def test_crop_loss_without_turns_averages_over_the_four_turns():
    """On 2 x 2 cells every cell of the student meets each cell of the teacher once."""
    student, teacher = torch.randn(2, 3, 6, 2, 2, dtype=torch.double).unbind()
    student_tokens, teacher_tokens = (F.normalize(patches, dim=1).flatten(2) for patches in (student, teacher))
    cosine = torch.einsum('ncs,nct->nst', student_tokens, teacher_tokens)
    torch.testing.assert_close(CropSimilarityLoss()(student, teacher, None), -cosine.mean(dim=(1, 2)))


def reference_correspondence(student, teacher, num_matches):
    """One pair, token by token: `student (N_s, C)`, `teacher (N_t, C)`."""
    total = 0.0
    for mine, other in ((student, teacher), (teacher, student)):
        best = sorted((max(F.cosine_similarity(a, b, dim=0).item() for b in other) for a in mine), reverse=True)
        total += sum(best[:num_matches]) / num_matches / 2
    return -total


@pytest.mark.parametrize('num_student,share', [(6, 0.5), (5, 0.5), (6, 1.0)])
def test_correspondence_against_a_loop_over_tokens(num_student, share):
    student = torch.randn(2, 3, 4, num_student, 7, dtype=torch.double)
    teacher = torch.randn(2, 3, 9, 7, dtype=torch.double)
    loss = PatchCorrespondenceLoss(share)(student, teacher)
    assert loss.shape == (2, 3, 4)
    for q in range(2):
        for b in range(3):
            for v in range(4):
                expected = reference_correspondence(student[q, b, v], teacher[q, b], int(num_student * share))
                assert loss[q, b, v].item() == pytest.approx(expected, abs=1e-12)


def test_correspondence_shares_student_tokens_between_global_views():
    student, teacher = torch.randn(1, 3, 4, 6, 7), torch.randn(2, 3, 9, 7)
    loss = PatchCorrespondenceLoss()
    torch.testing.assert_close(loss(student, teacher), loss(student.expand(2, -1, -1, -1, -1), teacher))


def test_correspondence_ignores_the_order_of_tokens_and_their_length():
    student, teacher = torch.randn(1, 1, 1, 8, 5), torch.randn(1, 1, 8, 5)
    loss = PatchCorrespondenceLoss()
    shuffled = 7 * student[:, :, :, torch.randperm(8)], 0.1 * teacher[:, :, torch.randperm(8)]
    torch.testing.assert_close(loss(student, teacher), loss(*shuffled))
    torch.testing.assert_close(loss(teacher[:, :, None], teacher), torch.full((1, 1, 1), -1.0))


def test_only_kept_tokens_get_a_gradient():
    student = torch.eye(4, 8)[None, None, None].clone().requires_grad_()
    teacher = torch.eye(8)[None, None, :2] + 0.1  # tokens 0 and 1 match best
    PatchCorrespondenceLoss(0.5)(student, teacher).sum().backward()
    assert (student.grad[0, 0, 0, :2].abs().sum(dim=1) > 0).all()
    assert (student.grad[0, 0, 0, 2:] == 0).all()


@pytest.mark.parametrize('share', [0.0, 1.5])
def test_match_share_out_of_range(share):
    with pytest.raises(UserError, match='match_share must be a number, above 0, at most 1'):
        PatchCorrespondenceLoss(share)


def test_decorrelation_matches_the_formula():
    tokens = torch.randn(50, 4, dtype=torch.float64) * torch.tensor([0.2, 0.5, 1.5, 3.0], dtype=torch.float64)
    expected = sum(max(0.0, 1 - math.sqrt(tokens[:, c].var().item() + 1e-4)) for c in range(4)) / 4
    for c in range(4):
        for d in range(4):
            if c != d:
                first, second = (tokens[:, k] - tokens[:, k].mean() for k in (c, d))
                expected += 0.04 * ((first * second).sum().item() / 49) ** 2 / 4
    assert DecorrelationLoss()(tokens).item() == pytest.approx(expected, rel=1e-12)


def test_decorrelation_is_minimal_for_uncorrelated_channels_of_unit_deviation():
    apart = torch.cat([torch.eye(4), -torch.eye(4)]).double() * 2  # deviation 1.07, no covariance
    together = apart.sum(dim=1, keepdim=True).repeat(1, 4)
    flat = torch.ones(8, 4, dtype=torch.float64)
    assert DecorrelationLoss()(apart).item() == 0
    assert DecorrelationLoss()(together).item() > 0
    assert DecorrelationLoss()(flat).item() == pytest.approx(0.99)
    assert torch.allclose(DecorrelationLoss()(apart + 5), torch.zeros((), dtype=torch.float64))
