import torch

from segclf.losses.overlap import ratio, soft_overlap

OPTIONS = {"sample_weight": None, "class_weight": None, "include_background": True}


def certain(ids, k):
    return torch.nn.functional.one_hot(torch.tensor(ids), k).movedim(-1, 1) * 200.0


def test_counts_of_a_batch():
    logits = certain([[[0, 1, 2, 2]], [[0, 0, 1, 1]]], 3)
    target = torch.tensor([[[0, 1, 1, 2]], [[0, 1, 1, -1]]])
    overlap = soft_overlap(logits, target, **OPTIONS, batch=True)
    assert overlap.both.tolist() == [2, 2, 1]
    assert overlap.predicted.tolist() == [3, 2, 2]
    assert overlap.true.tolist() == [2, 4, 1]
    assert overlap.weights.tolist() == [1]  # the same for each class


def test_counts_of_each_image():
    logits = certain([[[0, 1, 2, 2]], [[0, 0, 1, 1]]], 3)
    target = torch.tensor([[[0, 1, 1, 2]], [[-1, -1, -1, -1]]])
    overlap = soft_overlap(logits, target, **OPTIONS, batch=False)
    assert overlap.true.tolist() == [[1, 2, 1], [0, 0, 0]]
    assert overlap.predicted.tolist() == [[1, 1, 2], [0, 0, 0]]
    assert overlap.weights.tolist() == [[1], [0]]


def test_squares():
    overlap = soft_overlap(
        torch.zeros(1, 1, 1, 4),
        torch.tensor([[[[1, 1, 0, -1]]]]),
        **OPTIONS,
        batch=True,
        squared=True,
    )
    assert overlap.both.tolist() == [1]
    assert overlap.predicted.tolist() == [0.75]
    assert overlap.true.tolist() == [2]


def test_a_channel_that_nobody_labeled_has_no_weight():
    target = torch.tensor([[[[1, 0]], [[-1, -1]]]])
    overlap = soft_overlap(torch.zeros(1, 2, 1, 2), target, **OPTIONS, batch=True)
    assert overlap.weights.tolist() == [1, 0]


def test_ratio_of_nothing_is_1():
    part, whole = torch.tensor([0.0, 1.0]), torch.tensor([0.0, 4.0])
    assert ratio(part, whole).tolist() == [1, 0.25]
