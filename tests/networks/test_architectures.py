import inspect

import pytest

from segclf.networks.architectures import ARCHITECTURES, find_architecture
from segclf.networks.libraries import import_smp

# Our U-Net is the library's, see test_unet.py.
LIBRARY = {name: one.model for name, one in ARCHITECTURES.items() if one.model} | {"unet": "Unet"}


def library_parameters(name):
    return inspect.signature(getattr(import_smp(), LIBRARY[name]).__init__).parameters


@pytest.mark.parametrize("name", LIBRARY)
def test_table_agrees_with_the_library_about_options(name):
    one, parameters = ARCHITECTURES[name], library_parameters(name)
    assert one.attention == ("decoder_attention_type" in parameters)
    assert (one.channels is not None) == ("decoder_channels" in parameters)
    if one.channels is not None:
        assert one.channels == parameters["decoder_channels"].default


@pytest.mark.parametrize("name", LIBRARY)
def test_table_agrees_with_the_library_about_depth(name):
    assert ARCHITECTURES[name].depth == library_parameters(name)["encoder_depth"].default


@pytest.mark.parametrize("name", ["fpn", "pspnet"])
def test_upsampling_is_the_library_s_at_the_default_depth(name):
    one = ARCHITECTURES[name]
    assert one.upsampling(one.depth) == library_parameters(name)["upsampling"].default


def test_names_are_sorted():
    assert list(ARCHITECTURES) == sorted(ARCHITECTURES)


def test_unknown_name_suggests_and_lists():
    with pytest.raises(ValueError, match=r"'unnet'\. Did you mean unet.*Available: deeplabv3, .*"):
        find_architecture("unnet")
