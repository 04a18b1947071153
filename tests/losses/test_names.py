import pytest

from segclf import losses
from segclf.losses import get_loss


@pytest.mark.parametrize("name", [name for name in losses.__all__ if name != "get_loss"])
def test_every_exported_loss_has_its_name(name):
    assert get_loss(name) is getattr(losses, name)


def test_callables_come_back():
    assert get_loss(max) is max


def test_unknown_names_list_those_there_are():
    with pytest.raises(ValueError, match=r"'dise'; there are: cross_entropy, dice, .*, tversky\."):
        get_loss("dise")


def test_neither_name_nor_callable():
    with pytest.raises(TypeError, match=r"name or a callable, got 3; there are: cross_entropy"):
        get_loss(3)


def test_exports_are_sorted():
    assert losses.__all__ == sorted(losses.__all__)
