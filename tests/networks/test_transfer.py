"""What one network hands on to another: from a module, a file of ours, a file of anybody's."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from segclf import CASSPretrainer, ImageClassifier, SupervisedSegmenter, save
from segclf.datasets import make_shapes
from segclf.networks import (
    PairNetwork,
    classification_network,
    segmentation_network,
    transfer,
)
from segclf.networks.saved import saved_networks

SHAPES = make_shapes(8, image_size=16, n_objects=2, target_radius=4, random_state=0)


def classifier(encoder="tiny", **options):
    return with_statistics(classification_network(encoder=encoder, **options))


def segmenter(**options):
    return with_statistics(segmentation_network(**{"encoder": "tiny", **options}))


def with_statistics(network):
    """Statistics and buffers that are nobody's defaults."""
    n_channels = len(network.mean)
    network.set_statistics(torch.rand(n_channels), 1 + torch.rand(n_channels))
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_()
    return network


def assert_taken(report, source, target, *, but=()):
    """Every tensor of the source is the target's now, bit by bit, but for those named so."""
    ours, theirs = target.state_dict(), source.state_dict()
    expected = [name for name in theirs if not name.startswith(but)] if but else list(theirs)
    assert set(report["taken"]) == set(expected)
    assert all(torch.equal(ours[name], theirs[name]) for name in expected)


def test_encoder_and_statistics():
    source, target = classifier(n_classes=0), segmenter()
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    report = transfer(source, target)
    assert_taken(report, source, target)
    assert report["unused"] == {}
    after = target.state_dict()
    assert sorted([*report["taken"], *report["new"]]) == sorted(after)
    for name, reason in report["new"].items():
        assert name.startswith(("decoder.", "head."))
        assert reason == "the pretrained network has no such tensor"
        assert torch.equal(after[name], before[name])


def test_batch_norm_statistics_come_along():
    source, target = classifier("resnet18", n_classes=0), segmenter(encoder="resnet18")
    assert_taken(transfer(source, target), source, target)


def test_decoder_and_head_of_one_form():
    source, target = segmenter(), segmenter()
    report = transfer(source, target)
    assert_taken(report, source, target)
    assert report["new"] == report["unused"] == {}


def test_a_head_for_other_classes_starts_anew():
    source, target = segmenter(n_classes=2), segmenter(n_classes=3)
    report = transfer(source, target)
    assert_taken(report, source, target, but=("head.",))
    assert report["new"]["head.0.bias"] == "of another shape: (2,) there, (3,) here"
    assert set(report["unused"]) == set(report["new"])
    assert report["unused"]["head.0.bias"] == "no tensor of that name and shape here"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({}, {"architecture": "fpn"}),
        ({}, {"decoder_attention": "scse"}),
        ({}, {"encoder_depth": 2}),
    ],
)
def test_decoders_of_two_forms(theirs, ours):
    source, target = segmenter(**theirs), segmenter(**ours)
    with pytest.raises(ValueError, match="The pretrained network has the decoder") as raised:
        transfer(source, target)
    for network in (source, target):
        assert repr(network.recipe["architecture"]) in str(raised.value)
        assert repr(network.recipe["decoder_channels"]) in str(raised.value)


def test_encoders_of_two_names():
    with pytest.raises(ValueError, match="has the encoder 'tiny', this one 'resnet18'"):
        transfer(classifier(n_classes=0), classifier("resnet18"))


def test_no_network_at_all():
    with pytest.raises(ValueError, match="encoder of no network of segclf, this one 'tiny'"):
        transfer(nn.Linear(2, 2), classifier())


def test_two_names_of_one_encoder():
    source, target = classifier("tu-tiny_vit", n_classes=0), classifier("tiny_vit")
    assert_taken(transfer(source, target), source, target)


@pytest.mark.parametrize("architecture", ["dpt", "vit_unet"])
@pytest.mark.parametrize("way", ["there", "back"])
def test_a_transformer_inside_of_a_wrapper(architecture, way):
    """A segmenter wraps timm's model; its names are one level deeper there."""
    name = "vit_tiny_patch16_224" if architecture == "dpt" else "tiny_vit"
    plain = classifier(name, n_classes=0)
    wrapped = segmenter(architecture=architecture, encoder=name)
    source, target = (plain, wrapped) if way == "there" else (wrapped, plain)
    report = transfer(source, target)
    for ours, theirs in plain.encoder.state_dict().items():
        assert torch.equal(wrapped.encoder.model.state_dict()[ours], theirs)
    assert set(report["taken"]) >= {n for n in target.state_dict() if n.startswith("encoder.")}
    assert torch.equal(target.mean, source.mean)
    left = {n for n in source.state_dict() if n.startswith(("decoder.", "head."))}
    assert set(report["unused"]) == left


def test_the_first_convolution_fits_gray_images():
    source, target = classifier(n_classes=0), classifier(in_channels=1)
    report = transfer(source, target)
    first = source.encoder.stages[0][0].weight.sum(1, keepdim=True)
    torch.testing.assert_close(target.encoder.stages[0][0].weight, first)
    assert report["new"]["mean"] == "of another shape: (3,) there, (1,) here"
    assert "encoder.stages.0.0.weight" in report["taken"]


def test_a_shallower_encoder_takes_what_it_has():
    source, target = classifier(n_classes=0), classifier(n_classes=0, encoder_depth=2)
    report = transfer(source, target)
    assert report["new"] == {}
    assert {name.split(".")[2] for name in report["unused"]} == {"2"}
    back = transfer(target, classifier(n_classes=0))
    assert {name.split(".")[2] for name in back["new"]} == {"2"}


def test_one_of_a_pair():
    pair = PairNetwork(*(classifier(name, n_classes=0) for name in ("tiny", "tiny_vit")))
    for source, name in ((pair.cnn, "tiny"), (pair.transformer, "tiny_vit")):
        target = classifier(name)
        assert_taken(transfer(pair, target), source, target)
    with pytest.raises(ValueError, match="encoder 'tiny' and 'tiny_vit', this one 'resnet18'"):
        transfer(pair, classifier("resnet18"))


def test_to_each_of_several():
    source = PairNetwork(*(classifier(name, n_classes=0) for name in ("tiny", "tiny_vit")))
    target = torch.nn.ModuleDict({name: classifier(name) for name in ("tiny_vit", "tiny")})
    report = transfer(source, target)
    for name, one in (("tiny", source.cnn), ("tiny_vit", source.transformer)):
        alone = transfer(one, classifier(name))
        taken = [each for each in report["taken"] if each.startswith(f"{name}.")]
        assert taken == [f"{name}.{each}" for each in alone["taken"]]
        tensors = target[name].state_dict()
        assert all(torch.equal(tensors[n], one.state_dict()[n]) for n in alone["taken"])
    assert report["new"].keys() == {
        f"{name}.head.{each}" for name in ("tiny", "tiny_vit") for each in ("weight", "bias")
    }


def test_to_that_of_several_which_can_take_it(tmp_path):
    source = classifier("tiny", n_classes=0)
    save_file(source.state_dict(), tmp_path / "weights.safetensors")
    for given in (source, tmp_path / "weights.safetensors"):
        target = torch.nn.ModuleDict({name: classifier(name) for name in ("tiny", "tiny_vit")})
        before = {name: each.clone() for name, each in target["tiny_vit"].state_dict().items()}
        report = transfer(given, target)
        assert all(name.startswith("tiny.") for name in report["taken"])
        after = target["tiny_vit"].state_dict()
        assert all(torch.equal(after[name], before[name]) for name in before)
        assert {f"tiny_vit.{name}" for name in before} <= report["new"].keys()
    target = torch.nn.ModuleDict({name: classifier(name) for name in ("resnet18", "tiny_vit")})
    with pytest.raises(ValueError, match=r"this one 'resnet18'.*this one 'tiny_vit'"):
        transfer(source, target)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("prefix", ["", "module.", "model.student."])
def test_a_file_of_our_network(prefix, suffix, tmp_path):
    source, target, again = segmenter(), segmenter(), segmenter()
    state = {f"{prefix}{name}": tensor for name, tensor in source.state_dict().items()}
    state["queue"] = torch.zeros(3)
    path = tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(state, path)
    report = transfer(str(path), target)
    assert_taken(report, source, target)
    assert report["new"] == {}
    expected = transfer(source, again)
    if prefix:
        assert report == expected
    else:
        assert report.pop("unused").keys() == {"queue"}
        assert report["taken"] == expected["taken"]


def test_a_file_of_somebody_elses_encoder(tmp_path):
    """Their classifier has no place here, and they know nothing of our statistics."""
    source, target = classifier("resnet18", n_classes=0), segmenter(encoder="resnet18")
    mean = target.mean.clone()
    state = source.encoder.state_dict() | {"fc.weight": torch.zeros(10, 512)}
    torch.save(state, tmp_path / "resnet18.pth")
    report = transfer(tmp_path / "resnet18.pth", target)
    assert set(report["taken"]) == {f"encoder.{name}" for name in source.encoder.state_dict()}
    assert report["unused"] == {"fc.weight": "no tensor of that name and shape here"}
    assert {"mean", "std"} <= report["new"].keys()
    assert torch.equal(target.mean, mean)
    assert torch.equal(target.encoder.conv1.weight, source.encoder.conv1.weight)


def test_a_file_of_another_encoder(tmp_path):
    torch.save(classifier(n_classes=0).state_dict(), tmp_path / "tiny.pth")
    with pytest.raises(ValueError, match=r"tiny\.pth does not fit this encoder"):
        transfer(tmp_path / "tiny.pth", classifier("resnet18"))


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pth"):
        transfer(tmp_path / "nowhere.pth", classifier())


def fitted_segmenter(**changes):
    settings = {"encoder": "tiny", "max_epochs": 1, "random_state": 0}
    return SupervisedSegmenter(**{**settings, **changes}).fit(SHAPES.images, SHAPES.masks)


@pytest.mark.parametrize("name", ["saved.safetensors", "saved"])
def test_a_file_says_what_the_network_in_it_says(name, tmp_path):
    source = fitted_segmenter()
    save(source, tmp_path / name)
    target, again = segmenter(), segmenter()
    assert transfer(tmp_path / name, target) == transfer(source.network_, again)
    assert_taken(transfer(tmp_path / name, target), source.network_, target)


def test_a_file_of_another_decoder_or_encoder(tmp_path):
    save(fitted_segmenter(), tmp_path / "saved.safetensors")
    with pytest.raises(ValueError, match=r"saved\.safetensors has the decoder .*'unet'.*'fpn'"):
        transfer(tmp_path / "saved.safetensors", segmenter(architecture="fpn"))
    with pytest.raises(ValueError, match=r"saved\.safetensors has the encoder 'tiny', this one 'r"):
        transfer(tmp_path / "saved.safetensors", classifier("resnet18"))


def test_the_outermost_network_of_a_file_counts(tmp_path):
    """A segmenter's file holds its pretrainer too, which has an encoder of that name as well."""
    pretrainer = CASSPretrainer(transformer="tiny_vit", n_outputs=8, max_epochs=1)
    source = fitted_segmenter(pretrainer=pretrainer)
    save(source, tmp_path / "saved.safetensors")
    target = classifier()
    transfer(tmp_path / "saved.safetensors", target)
    weight = target.encoder.stages[0][0].weight
    assert torch.equal(weight, source.network_.encoder.stages[0][0].weight)
    assert not torch.equal(weight, source.pretrainer_.network_.encoder.stages[0][0].weight)
    assert len(saved_networks(tmp_path / "saved.safetensors")) == 2


def test_reading_a_file_takes_no_random_number(tmp_path):
    save(fitted_segmenter(), tmp_path / "saved.safetensors")
    target, before = segmenter(), torch.get_rng_state()
    transfer(tmp_path / "saved.safetensors", target)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_damaged_file_of_ours(tmp_path):
    path = tmp_path / "saved.safetensors"
    save(fitted_segmenter(), path)
    path.write_bytes(path.read_bytes().replace(b"segmentation", b"segmentatiom"))
    with pytest.raises(ValueError, match=r"saved\.safetensors cannot be read.*'segmentatiom'"):
        transfer(path, segmenter())


def test_a_file_of_an_estimator_without_a_network(tmp_path):
    save(ImageClassifier(encoder="tiny"), tmp_path / "saved.safetensors")
    with pytest.raises(ValueError, match=r"saved\.safetensors does not fit this encoder"):
        transfer(tmp_path / "saved.safetensors", segmenter())
