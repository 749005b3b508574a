import math

import pytest
import torch
import torch.nn.functional as F

from mmssl_geo.evaluation import knn
from mmssl_geo.evaluation.knn import knn_classify, majority_class_accuracy


def test_votes_counted_by_hand():
    # cosines to the query: 1, 0.8, 0.8, 0.6, 0
    neighbours = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.8, -0.6], [0.6, 0.8], [0.0, 1.0]])
    labels = torch.tensor([4, 9, 9, 9, 2])
    assert math.exp(1 / 0.07) > 2 * math.exp(0.8 / 0.07) + math.exp(0.6 / 0.07)
    predictions = knn_classify(torch.tensor([[1.0, 0.0]]), neighbours, labels, (1, 3, 5))
    assert {k: own.tolist() for k, own in predictions.items()} == {1: [4], 3: [4], 5: [4]}
    many = torch.cat([neighbours[:1], neighbours[1:2].repeat(20, 1)])
    predictions = knn_classify(torch.tensor([[1.0, 0.0]]), many, torch.tensor([4] + [9] * 20), (17, 19, 100))
    # exp(0.2 / 0.07) = 17.4: of 17 neighbours 16 do not outweigh the nearest, of 19 18 do
    assert {k: own.tolist() for k, own in predictions.items()} == {17: [4], 19: [9], 100: [9]}


def test_chunks_change_nothing(monkeypatch):
    queries, neighbours = F.normalize(torch.randn(50, 6), dim=1), F.normalize(torch.randn(70, 6), dim=1)
    labels = torch.randint(5, (70,))
    whole = knn_classify(queries, neighbours, labels, (1, 10))
    assert torch.equal(whole[1], labels[(queries @ neighbours.T).argmax(dim=1)])
    monkeypatch.setattr(knn, 'CHUNK_SIZE', 7)
    parts = knn_classify(queries, neighbours, labels, (1, 10))
    assert all(torch.equal(whole[k], parts[k]) for k in whole)


def test_chance_is_the_share_of_the_most_frequent_class():
    assert majority_class_accuracy(torch.tensor([3, 8, 8]), torch.tensor([8, 3, 3, 8, 8])) == pytest.approx(0.6)
