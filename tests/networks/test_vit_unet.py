import pytest
import timm
import torch
from torch import nn

from segclf.networks import classification_network, segmentation_network
from segclf.networks.encoders import make_vit_encoder
from segclf.networks.vit_unet import ViTUNetDecoder


def vit_unet(**options):
    return segmentation_network(architecture="vit_unet", **{"encoder": "tiny_vit", **options})


def count(module):
    return sum(each.numel() for each in module.parameters())


def test_network_of_the_paper():
    with torch.device("meta"):
        network = vit_unet(encoder="vit_small_patch8_224")
        decoder = network.decoder
    model = network.encoder.model
    assert model.patch_embed.patch_size == (8, 8)
    assert (model.embed_dim, len(model.blocks), model.blocks[0].attn.num_heads) == (384, 12, 6)
    assert model.blocks[0].mlp.fc1.out_features == 1536
    assert len(decoder.downs) == len(decoder.ups) == 4
    assert count(model) == count(timm.create_model("vit_small_patch8_224", num_classes=0))
    assert round(count(model) / 1e6, 1) == 21.7
    assert round(count(network) / 1e6, 1) == 35.5
    assert network.head.kernel_size == (1, 1)


def test_size_of_the_decoder_by_hand():
    def double(before, after):
        return 9 * before * after + 9 * after * after + 4 * after

    a, b, c, d, e = widths = (2, 3, 5, 7, 11)
    down = double(4, a) + double(a, b) + double(b, c) + double(c, d) + double(d, e)
    join = (13 + 1) * e + (e + 1) * e
    up = double(e + d, c) + double(c + c, b) + double(b + b, a) + double(a + a, a)
    assert count(ViTUNetDecoder([4, 13], widths)) == down + join + up


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (16, 16), (37, 53)])
def test_trains_on_one_image_of_any_size(size):
    network = vit_unet(in_channels=1, n_classes=3).train()
    logits = network(torch.rand(1, 1, *size))
    assert logits.shape == (1, 3, *size)
    logits.square().sum().backward()
    assert all(torch.isfinite(each.grad).all() for each in network.parameters())


def test_result_for_an_image_does_not_depend_on_its_company():
    torch.manual_seed(0)
    network = vit_unet().train()
    images = torch.rand(4, 3, 16, 16)
    assert torch.allclose(network(images)[1:2], network(images[1:2]), atol=1e-5)


@pytest.mark.parametrize(
    ("encoder", "stride"),
    [("tiny_vit", 16), ("vit_small_patch14_dinov2", 112), ("vit_small_patch32_224", 32)],
)
def test_stride_fits_the_patches_and_the_four_down_blocks(encoder, stride):
    with torch.device("meta"):
        assert vit_unet(encoder=encoder).stride == stride


@pytest.mark.parametrize("encoder", ["tiny_vit", "test_vit2", "deit_tiny_distilled_patch16_224"])
def test_map_is_timm_s_patch_tokens(encoder):
    wrapped = make_vit_encoder(f"tu-{encoder}", in_channels=2).eval()
    patch = wrapped.output_stride
    image = torch.rand(2, 2, 2 * patch, 3 * patch)
    with torch.no_grad():
        same, tokens = wrapped(image)
        flat = wrapped.model.forward_features(image)[:, wrapped.model.num_prefix_tokens :]
    assert same is image
    assert tokens.shape == (2, wrapped.out_channels[1], 2, 3)
    assert torch.allclose(tokens.flatten(2).transpose(1, 2), flat, atol=1e-6)


def test_embedding_is_the_mean_of_the_tokens():
    network = vit_unet().eval()
    image = torch.rand(2, 3, 20, 9)
    tokens = network.features(image)[1]
    assert tokens.shape == (2, 32, 8, 4)
    assert network.n_features == 32
    assert torch.equal(network.embed(image), tokens.mean((2, 3)))


def test_tokens_join_at_the_bottom_by_addition():
    torch.manual_seed(0)
    decoder = ViTUNetDecoder([3, 6], [4, 4, 4, 4, 5]).eval()
    image, tokens = torch.rand(1, 3, 32, 32), torch.rand(1, 6, 8, 8)
    maps = [decoder.stem(image)]
    for down in decoder.downs:
        maps.append(down(maps[-1]))
    # What the VC block does to a mean of tokens is the mean of what it does to each of them.
    mean = nn.functional.avg_pool2d(tokens, 4)
    joined = decoder.join.linear(decoder.join.convolution(mean).permute(0, 2, 3, 1))
    bottom = maps[4] + joined.permute(0, 3, 1, 2)
    raised = nn.functional.interpolate(bottom, scale_factor=2, mode="bilinear")
    seen = []
    decoder.ups[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    decoder([image, tokens])
    assert torch.allclose(seen[0], torch.cat([maps[3], raised], dim=1), atol=1e-5)


def test_weights_of_a_classifier_or_of_timm_fit(tmp_path):
    theirs = timm.create_model("tiny_vit", num_classes=7)
    ours = classification_network(encoder="tiny_vit")
    for name, source in {"timm": theirs, "classifier": ours}.items():
        file = tmp_path / f"{name}.pth"
        torch.save(source.state_dict(), file)
        loaded = vit_unet(encoder_weights=file).encoder.model.state_dict()
        given = getattr(source, "encoder", source).state_dict()
        assert all(torch.equal(loaded[each], given[each]) for each in loaded)
