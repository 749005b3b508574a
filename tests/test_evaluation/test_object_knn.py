import pytest
import torch

from mmssl_geo.evaluation.knn import object_knn, split_objects
from mmssl_geo.utils.errors import UserError


def objects(num=400, classes=4):
    labels = torch.arange(num) % classes
    return labels, torch.arange(0, num, 2), torch.arange(1, num, 2)


def test_features_that_hold_the_class_are_always_right():
    labels = torch.tensor([7, 7, 3, 3, 9, 9] * 20)
    features = torch.eye(10)[labels] + 5.0  # the offset that all share does not count
    accuracy, chance = object_knn(features, labels, torch.arange(60), torch.arange(60, 120))
    assert accuracy == 1 and chance == pytest.approx(1 / 3)


def test_random_features_are_right_by_chance():
    labels = torch.randint(4, (2000,))
    neighbours, queries = torch.arange(1000), torch.arange(1000, 2000)
    accuracy, chance = object_knn(torch.randn(2000, 64), labels, neighbours, queries)
    assert accuracy == pytest.approx(0.25, abs=0.05) and chance == pytest.approx(0.25, abs=0.05)


def test_votes_are_weighted_by_the_cosine_and_k_limits_them():
    # centred at 0: the one neighbour of class 0 is at the cosine 1, those of class 1 at 0.8
    near = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.8, 0.6], [-2.6, -1.2]])
    labels = torch.tensor([0, 1, 1, 2, 0])
    features = torch.cat([near, torch.tensor([[2.0, 0.0]])])
    neighbours, queries = torch.arange(4), torch.tensor([4])
    for k in (1, 3, 20):  # exp(1 / 0.07) > 2 exp(0.8 / 0.07)
        assert object_knn(features, labels, neighbours, queries, k) == (1.0, 0.0)
    many = torch.cat([near[:1], near[1:2].repeat(30, 1), -(near[:1] + 30 * near[1:2]), torch.tensor([[2.0, 0.0]])])
    labels = torch.tensor([0] + [1] * 30 + [2, 0])
    accuracies = [object_knn(many, labels, torch.arange(32), torch.tensor([32]), k)[0] for k in (1, 10, 30)]
    assert accuracies == [1.0, 1.0, 0.0]  # exp(0.2 / 0.07) = 17.4 votes of class 1 outweigh it


def test_chance_is_the_most_frequent_training_class():
    labels = torch.tensor([5, 5, 5, 2, 2, 2, 2, 5])
    assert object_knn(torch.randn(8, 3), labels, torch.arange(5), torch.arange(5, 8))[1] == pytest.approx(1 / 3)


def test_rare_classes_are_excluded():
    labels = torch.tensor([1, 1, 2, 1, 2, 3])
    image = torch.tensor([0, 0, 1, 2, 3, 3])
    neighbours, queries, num_excluded = split_objects(labels, image, torch.tensor([0, 1]), torch.tensor([2, 3]))
    assert neighbours.tolist() == [0, 1] and queries.tolist() == [3] and num_excluded == 2
    with pytest.raises(UserError, match='no object can be classified: there are 1 training objects of at least'):
        split_objects(labels, image, torch.tensor([1]), torch.tensor([2, 3]))
