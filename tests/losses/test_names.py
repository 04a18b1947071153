import math
from functools import partial

import pytest
import torch

from segclf import losses
from segclf.losses import get_label_loss, get_loss

NAMES = [name for name in losses.__all__ if not name.startswith(("get_", "is_"))]


@pytest.mark.parametrize("name", NAMES)
def test_every_exported_loss_has_its_name(name):
    assert get_loss(name) is getattr(losses, name)


def test_callables_come_back():
    assert get_loss(max) is max
    assert get_label_loss(max) is max


@pytest.mark.parametrize("name", NAMES)
def test_label_losses_know_no_background(name):
    scores = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    labels, order = torch.tensor([0, 1, 2, 2, -1, 1]), torch.tensor([2, 0, 1])
    places = torch.cat([order.argsort(), torch.tensor([-1])])  # that of -1 is -1
    expected = get_label_loss(name)(scores, labels)
    torch.testing.assert_close(get_label_loss(name)(scores[:, order], places[labels]), expected)


def test_focal_of_labels_is_that_of_the_formula():
    p = torch.tensor([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]]).double()
    expected = (0.3**2 * -math.log(0.7) + 0.9**2 * -math.log(0.1)) / 2
    assert get_label_loss("focal")(p.log(), torch.tensor([0, 2])).item() == pytest.approx(expected)


def test_options_of_a_label_loss_go_before():
    scores, labels = torch.tensor([[0.3, -0.2], [0.1, 0.4]]), torch.tensor([0, 1])
    for given in ({"gamma": 1.0}, {"gamma": 1.0, "alpha": 0.8}):
        found = get_label_loss(partial(losses.focal, **given))(scores, labels)
        assert found == losses.focal(scores, labels, **{"alpha": None, **given})


def test_unknown_names_list_those_there_are():
    with pytest.raises(ValueError, match=r"'dise'; available: cross_entropy, dice, .*, tversky\."):
        get_loss("dise")


def test_neither_name_nor_callable():
    with pytest.raises(TypeError, match=r"name or a callable, got 3; available: cross_entropy"):
        get_loss(3)


def test_exports_are_sorted():
    assert losses.__all__ == sorted(losses.__all__)
