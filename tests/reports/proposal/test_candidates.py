import pytest

from segclf.base import PretrainedWeightsWarning
from segclf.networks.encoders import encoder_key
from segclf.networks.published_weights import binds, published_weights
from segclf.reports.proposal import candidates
from segclf.reports.proposal.candidates import CANDIDATES, find_candidates


def names(found):
    return [(each.encoder, each.encoder_weights) for each in found]


def at_hand(monkeypatch, *encoders):
    monkeypatch.setattr(candidates, "weights_at_hand", lambda name, encoder: encoder in encoders)


def test_weights_at_hand_are_compared_the_cheapest_first(monkeypatch):
    at_hand(monkeypatch, "resnet34", "tf_efficientnet_lite0", "resnet18")
    expected = ["tf_efficientnet_lite0", "resnet18", "resnet34"]
    assert names(find_candidates(None, 3)) == [(name, "imagenet") for name in expected]


def test_folder_of_weights_is_looked_into(monkeypatch, tmp_path):
    before = names(find_candidates([("tiny", None)], 1))
    assert before == [("tiny", None)]
    (tmp_path / "resnet34.pth").touch()
    monkeypatch.setenv("SEGCLF_WEIGHTS", str(tmp_path))
    assert ("resnet34", "imagenet") in names(find_candidates(None, 3))


@pytest.mark.parametrize(("encoder", "weights"), CANDIDATES.items())
def test_no_licence_binds_what_is_proposed(encoder, weights):
    published = published_weights(weights, encoder_key(encoder))
    assert not any(binds(each.licence) for each in published)


def test_without_any_weights_one_learns_from_scratch(monkeypatch):
    at_hand(monkeypatch)
    with pytest.warns(PretrainedWeightsWarning, match=r"segclf\[weights\]"):
        assert names(find_candidates(None, 3)) == [("resnet18", None)]


def test_names_have_their_usual_weights():
    given = ["vit_small_patch14_dinov2", "resnet18", ("tiny", None), ("tiny", "tiny.pth")]
    assert names(find_candidates(given, 3)) == [
        ("tiny", None),
        ("tiny", "tiny.pth"),
        ("resnet18", "imagenet"),
        ("vit_small_patch14_dinov2", "timm/vit_small_patch14_dinov2"),
    ]


@pytest.mark.parametrize("encoders", [[], [3], [("tiny",)], [(None, "imagenet")]])
def test_anything_else_is_refused(encoders):
    with pytest.raises(ValueError, match=r"encoders .*expected"):
        find_candidates(encoders, 3)
