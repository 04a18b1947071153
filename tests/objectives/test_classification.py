import torch
from torch.nn.functional import cross_entropy

from segclf.objectives import Classification, Progress


def term(images, **batch):
    weight = torch.tensor([1.0, 3.0])
    objective = Classification(torch.nn.Flatten(), loss="cross_entropy", class_weight=weight)
    return objective({"image": images, **batch}, Progress(0, 0, 0.0))["classification"]


def test_loss_of_the_labeled_weighted_by_class_and_image():
    images, target = torch.randn(4, 2, 1, 1), torch.tensor([0, 1, 1, -1])
    expected = cross_entropy(
        images.flatten(1), target, weight=torch.tensor([1.0, 3.0]), ignore_index=-1
    )
    torch.testing.assert_close(term(images, target=target), expected)
    without_last = term(images[:2], target=target[:2])
    weighted = term(images, target=target, weight=torch.tensor([1.0, 1.0, 0.0, 1.0]))
    torch.testing.assert_close(weighted, without_last)
