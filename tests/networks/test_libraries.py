import sys
from types import ModuleType

import timm
import torch
from segmentation_models_pytorch.encoders import TimmUniversalEncoder

from segclf.networks import is_vision_transformer
from segclf.networks.encoders import make_encoder
from segclf.networks.libraries import import_smp, import_timm, is_a
from segclf.networks.tiny import SMP_NAME, TinyEncoder


def test_segmentation_models_pytorch_knows_the_tiny_encoder():
    encoder = import_smp().encoders.get_encoder(SMP_NAME, depth=2, weights=None)
    assert isinstance(encoder, TinyEncoder)
    assert encoder(torch.zeros(1, 3, 8, 8))[-1].shape == (1, 32, 2, 2)


def test_timm_knows_our_models():
    assert import_timm() is timm
    assert timm.is_model("tiny_vit")
    assert timm.is_model("squeezenet1_1")


def test_is_a():
    encoder = make_encoder("tu-test_resnet", in_channels=3, depth=2)
    home = "segmentation_models_pytorch.encoders"
    assert is_a(encoder, home, "TimmUniversalEncoder") == isinstance(encoder, TimmUniversalEncoder)
    assert not is_a(encoder, home, "TimmViTEncoder")
    assert not is_a(encoder, "never_imported", "TimmUniversalEncoder")


def test_nothing_is_of_a_library_that_another_thread_is_still_importing(monkeypatch):
    monkeypatch.setitem(sys.modules, "half_imported", ModuleType("half_imported"))
    assert not is_a(TinyEncoder(), "half_imported", "TinyEncoder")


def test_vision_transformers():
    assert is_vision_transformer(timm.create_model("test_vit"))
    assert not is_vision_transformer(timm.create_model("test_resnet"))
    assert not is_vision_transformer(None)
