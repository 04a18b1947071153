"""Foundation models, made by timm but small; their weights are random."""

import copy
import re

import numpy as np
import pytest
import timm
import torch
from safetensors import safe_open

import segclf
from segclf import PretrainedEncoder, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.networks import embedding_network, padded, segmentation_network
from segclf.networks.encoders import encoder_key, weights_holder
from segclf.networks.vit_unet import ViTEncoder
from segclf.networks.weight_sources import find_weights

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
# Encoder, tag, pixels of a patch, licence, mean and deviation.
MODELS = [
    ("vit_small_patch14_dinov2", "lvd142m", 14, "apache-2.0", IMAGENET),
    ("vit_small_patch14_reg4_dinov2", "lvd142m", 14, "apache-2.0", IMAGENET),
    ("vit_small_patch16_dinov3", "lvd1689m", 16, "dinov3-license", IMAGENET),
    ("vit_pe_core_tiny_patch16_384", "fb", 16, "apache-2.0", HALF),
    ("vit_pe_spatial_tiny_patch16_512", "fb", 16, "apache-2.0", HALF),
    ("vit_base_patch14_reg1_tipsv2", "webli", 14, "apache-2.0", ((0.0,) * 3, (1.0,) * 3)),
    ("vit_base_patch16_siglip_256", "v2_webli", 16, "apache-2.0", HALF),
    ("vit_base_patch32_clip_224", "openai", 32, "apache-2.0", CLIP),
]
NAMES = [model[0] for model in MODELS]
POOLINGS = ["token", "token", "avg", "map", "avg", "token", "map", "token"]
SMALL = {"depth": 5, "embed_dim": 32, "num_heads": 2}
SHAPES = make_shapes(4, image_size=32, n_objects=2, random_state=0)
X, MASKS = SHAPES.images, SHAPES.masks


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Make every such model of five narrow blocks, and its configuration all the same."""
    create = timm.create_model

    def made(name, **options):
        heads = {"attn_pool_num_heads": 2} if "pe_core" in name else {}
        return create(name, **SMALL, **heads, **options)

    monkeypatch.setattr(timm, "create_model", made)


def a_file(folder, name, stem="weights"):
    torch.manual_seed(0)
    path = folder / f"{stem}.pth"
    torch.save(timm.create_model(name).state_dict(), path)
    return path


def hypercolumn(name, **options):
    torch.manual_seed(0)
    return segmentation_network(architecture="hypercolumn", encoder=name, **options).eval()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("height", "width"), [(56, 56), (64, 64), (90, 53)])
@torch.no_grad()
def test_a_bright_square_is_seen_where_it_is(name, height, width):
    """At whole patches and at parts of them, square or not; what is padded is cut off again."""
    network = hypercolumn(name)
    patch = network.stride
    for row, column in [(0, 1), (height // patch, width // patch)]:
        images = torch.zeros(2, 3, height, width)
        cell = [slice(each * patch, (each + 1) * patch) for each in (row, column)]
        images[1, :, cell[0], cell[1]] = 3
        if not images.any():  # the last patch ends with the image
            continue
        assert peak(change(network.features(images)[-1])) == (row, column)
        pixel = peak(change(straight(network)(images)))
        assert (pixel[0] // patch, pixel[1] // patch) == (row, column)
        whole = padded(images, stride=patch, smallest=0)
        torch.testing.assert_close(network(images), network(whole)[..., :height, :width])


@torch.no_grad()
def test_maps_of_the_enlarged_image_lie_between_those_of_the_image():
    network = hypercolumn(NAMES[0], encoder_scales=(1, 2))
    images = torch.zeros(2, 3, 56, 84)
    images[1, :, 30:33, 51:54] = 3
    *_, finer, _, _, _, _, own = network.features(images)
    assert (finer.shape[2:], own.shape[2:]) == ((8, 12), (4, 6))
    assert (peak(change(finer)), peak(change(own))) == ((4, 7), (2, 3))
    assert network.decoder(network.features(images)).shape[2:] == (8, 12)


@pytest.mark.parametrize(("name", "pooling"), [*zip(NAMES, POOLINGS, strict=True)])
@torch.no_grad()
def test_embeddings_are_pooled_as_timm_s_configuration_says(name, pooling):
    torch.manual_seed(0)
    network = embedding_network(encoder=name).eval()
    assert network.recipe["pooling"] == "model"
    model, image = network.encoder, torch.rand(2, 3, 60, 70)
    assert model.global_pool == pooling
    tokens = model.forward_features(network.prepare(image))
    rest = tokens[:, model.num_prefix_tokens :]
    expected = {"token": tokens[:, 0], "avg": rest.mean(1)}.get(pooling)
    if expected is None:
        expected = model.attn_pool(tokens)
    torch.testing.assert_close(network(image), model.fc_norm(expected))


@pytest.mark.parametrize("model", MODELS, ids=NAMES)
def test_a_file_for_such_a_model_is_what_is_published_of_it(model, tmp_path):
    name, tag, _, licence, statistics = model
    for stem in (f"{name}.{tag}", "mine"):
        found = find_weights(a_file(tmp_path, name, stem), encoder_key(name))
        if stem == "mine" and "clip" in name:  # there are others, tuned on ImageNet
            assert (found.licence, found.statistics) == (None, None)
        else:
            assert (found.licence, found.statistics) == (licence, statistics)


@pytest.mark.parametrize("changes", [{}, {"augmentation": "flips"}, {"encoder_scales": (1, 2)}])
def test_a_frozen_fit_encodes_each_image_once(changes, tmp_path, monkeypatch):
    name, encoded = NAMES[0], []
    forward = ViTEncoder.forward

    def counted(self, image):
        if not torch.is_inference_mode_enabled():
            encoded.extend([tuple(image.shape[2:])] * len(image))
        return forward(self, image)

    monkeypatch.setattr(ViTEncoder, "forward", counted)
    segmenter = frozen(name, tmp_path, memory=tmp_path / "maps", **changes).fit(X, MASKS)
    sizes = [(84, 84), (42, 42)] if "encoder_scales" in changes else [(42, 42)]
    assert sorted(encoded) == sorted(4 * sizes), "32 pixels are three patches of 14"
    encoded.clear()
    again = frozen(name, tmp_path, memory=tmp_path / "maps", **changes).fit(X, MASKS)
    assert encoded == []
    expected = segmenter.predict_proba(X)
    np.testing.assert_array_equal(again.predict_proba(X), expected)
    segclf.save(segmenter, tmp_path / "saved.safetensors")
    np.testing.assert_array_equal(
        segclf.load(tmp_path / "saved.safetensors").predict_proba(X), expected
    )


@pytest.mark.parametrize("model", MODELS[2:4], ids=NAMES[2:4])
def test_saved_models_carry_licence_and_notice(model, tmp_path):
    name, _, _, licence, statistics = model
    segmenter = frozen(name, tmp_path, max_steps=1).fit(X, MASKS)
    network = segmenter.network_
    np.testing.assert_allclose([network.mean.tolist(), network.std.tolist()], statistics)
    segclf.save(segmenter, tmp_path / "saved.safetensors")
    weights = segclf.load(tmp_path / "saved.safetensors").weights_
    assert weights == segmenter.weights_
    assert weights["licence"] == licence
    assert ("dinov3-license" in weights.get("notice", "")) == (licence == "dinov3-license")
    with safe_open(tmp_path / "saved.safetensors", framework="pt") as file:
        assert ("Its terms bind" in str(file.metadata())) == ("notice" in weights)


@pytest.mark.parametrize("model", MODELS[:6], ids=NAMES[:6])
def test_by_name(model, tmp_path, monkeypatch):
    name, tag, _, licence, statistics = model
    file = a_file(tmp_path, name, f"{name}.{tag}")
    monkeypatch.setenv("SEGCLF_WEIGHTS", str(tmp_path))
    network = hypercolumn(name, encoder_weights=f"timm/{name}")
    own = weights_holder(network.encoder).state_dict()
    expected = torch.load(file, weights_only=True)
    assert all(torch.equal(tensor, expected[each]) for each, tensor in own.items())
    assert network.statistics == statistics
    assert network.weights["licence"] == licence
    assert ("notice" in network.weights) == (licence == "dinov3-license")


def test_the_notice_is_handed_on_with_an_encoder(tmp_path):
    file = a_file(tmp_path, NAMES[2])
    encoder = PretrainedEncoder(encoder=NAMES[2], encoder_weights=file).fit(X)
    assert encoder.transform(X).shape == (4, 32)
    assert encoder.weights_["licence"] == "dinov3-license"
    assert "notice" in encoder.weights_


def frozen(name, folder, **changes):
    settings = {"architecture": "hypercolumn", "encoder_rate": 0.0, "batch_size": 2}
    settings |= {"max_epochs": 2, "random_state": 0, "encoder_weights": a_file(folder, name)}
    return SupervisedSegmenter(encoder=name, **{**settings, **changes})


def test_files_as_their_authors_wrote_them(tmp_path):
    """DINOv2 with registers, DINOv3 and PE name their tensors otherwise than timm does."""
    renamed = {
        NAMES[1]: {"reg_token": "register_tokens"},
        NAMES[2]: {"reg_token": "storage_tokens", "gamma_": "ls#.gamma"},
        NAMES[4]: {
            "patch_embed.proj": "conv1",
            "norm_pre": "ln_pre",
            "pos_embed": "positional_embedding",
            "cls_token": "class_embedding",
            "blocks.": "transformer.resblocks.",
            "norm1": "ln_1",
            "norm2": "ln_2",
            "attn.qkv.": "attn.in_proj_",
            "attn.proj": "attn.out_proj",
            "mlp.fc1": "mlp.c_fc",
            "mlp.fc2": "mlp.c_proj",
        },
    }
    for name, names in renamed.items():
        torch.manual_seed(0)
        own = timm.create_model(name).state_dict()
        theirs = {theirs_of(each, names): tensor for each, tensor in own.items()}
        if name == NAMES[1]:
            theirs["mask_token"] = torch.zeros(1, 32)
            position = torch.zeros(1, 1, 32)
            theirs["pos_embed"] = torch.cat([position, theirs["pos_embed"]], 1)
        if name == NAMES[4]:
            theirs["class_embedding"] = theirs["class_embedding"][0, 0]
            theirs["positional_embedding"] = theirs["positional_embedding"][0]
        torch.save(theirs, tmp_path / "theirs.pth")
        network = hypercolumn(name, encoder_weights=tmp_path / "theirs.pth")
        filled = weights_holder(network.encoder).state_dict()
        assert filled.keys() <= own.keys()
        for each, tensor in filled.items():
            assert torch.equal(tensor, own[each]), each


def test_a_model_without_registers_refuses_those_of_one_with_them(tmp_path):
    own = timm.create_model(NAMES[0]).state_dict()
    torch.save({**own, "register_tokens": torch.zeros(1, 4, 32)}, tmp_path / "theirs.pth")
    with pytest.raises(ValueError, match=r"has register tokens, but encoder=.*reg4_dinov2"):
        hypercolumn(NAMES[0], encoder_weights=tmp_path / "theirs.pth")


def theirs_of(name, names):
    for ours, others in names.items():
        name = name.replace(ours, others)
    # DINOv3's "gamma_1" is "ls1.gamma".
    return re.sub(r"ls#\.gamma(\d)", r"ls\1.gamma", name)


def test_patches_of_another_size_are_another_model_s(tmp_path):
    file = a_file(tmp_path, "vit_small_patch16_224")
    with pytest.raises(ValueError, match="does not fit this encoder"):
        hypercolumn("vit_small_patch14_dinov2", encoder_weights=file)


def change(maps):
    return (maps[1] - maps[0]).abs().sum(0)


def straight(network):
    """Put the last map through to the scores."""
    network = copy.deepcopy(network)
    network.decoder, network.head = Last(), torch.nn.Identity()
    return network


class Last(torch.nn.Module):
    def forward(self, maps):
        return maps[-1]


def peak(places):
    return divmod(int(places.argmax()), places.shape[-1])


@pytest.mark.parametrize(("name", "head"), [(NAMES[0], "vit_unet"), (NAMES[2], "dpt")])
@torch.no_grad()
def test_other_heads_that_work(name, head):
    network = segmentation_network(architecture=head, encoder=name).eval()
    assert network(torch.rand(1, 3, 30, 50)).shape == (1, 2, 30, 50)


@pytest.mark.parametrize(
    ("name", "head", "advice"),
    [
        (NAMES[0], "unet", "can: hypercolumn, vit_unet."),
        (NAMES[0], "dpt", "can: hypercolumn, vit_unet."),
        (NAMES[2], "fpn", "can: hypercolumn, dpt."),
        (NAMES[3], "vit_unet", "can: hypercolumn, dpt."),
    ],
)
def test_other_heads_name_one_that_works(name, head, advice):
    with pytest.raises(ValueError, match="cannot take encoder") as caught:
        segmentation_network(architecture=head, encoder=name)
    assert str(caught.value).endswith(advice)
