import pytest
import timm
import torch
from lightly.models.modules import (
    MaskedVisionTransformerDecoderTIMM,
    MaskedVisionTransformerTIMM,
)
from lightly.models.utils import get_2d_sine_cosine_positional_embedding
from timm.layers.pos_embed_sincos import build_sincos2d_pos_embed
from torch import nn

from segclf.networks import MaskedDecoder, can_drop_patches, encode_visible, fix_positions


def transformer(**options):
    torch.manual_seed(0)
    return timm.create_model("tiny_vit", num_classes=0, **options).eval()


def chosen(n, n_chosen, n_patches=16):
    order = torch.rand(n, n_patches).argsort(dim=1)
    return order[:, :n_chosen], order[:, n_chosen:]


@pytest.mark.parametrize("n_visible", [1, 4, 15])
def test_blocks_see_the_visible_patches_only(n_visible):
    encoder, lengths = transformer(), []
    for block in encoder.blocks:
        block.register_forward_hook(lambda module, given, _: lengths.append(given[0].shape[1]))
    encode_visible(encoder, torch.rand(2, 3, 16, 16), chosen(2, n_visible)[0])
    assert lengths == [1 + n_visible] * 2
    encoder(torch.rand(2, 3, 16, 16))
    assert lengths[2:] == [1 + 16] * 2, "the encoder drops patches later on too"


@pytest.mark.parametrize("options", [{}, {"no_embed_class": True, "reg_tokens": 3}])
def test_encoding_is_lightlys(options):
    encoder, image = transformer(**options), torch.rand(2, 3, 32, 32)
    visible, _ = chosen(2, 9, 64)
    n_prefix = encoder.num_prefix_tokens
    keep = torch.cat([torch.arange(n_prefix).expand(2, -1), n_prefix + visible], dim=1)
    theirs = MaskedVisionTransformerTIMM(
        encoder, weight_initialization="skip", pos_embed_initialization="skip"
    )
    expected = theirs.encode(image, idx_keep=keep)
    torch.testing.assert_close(encode_visible(encoder, image, visible), expected)


def test_all_patches_visible_is_the_encoder_itself():
    encoder, image = transformer(), torch.rand(2, 3, 8, 24)
    everything = torch.arange(12).expand(2, -1)
    expected = encoder.forward_features(image)
    torch.testing.assert_close(encode_visible(encoder, image, everything), expected)


def test_nothing_of_a_hidden_patch_gets_through():
    encoder, image = transformer(), torch.rand(2, 3, 16, 16, requires_grad=True)
    visible, _ = chosen(2, 4)
    encode_visible(encoder, image, visible).square().sum().backward()
    reached = image.grad.unfold(2, 4, 4).unfold(3, 4, 4).abs().sum((1, 4, 5)).flatten(1) > 0
    assert torch.equal(reached, torch.zeros(2, 16, dtype=bool).scatter(1, visible, True))


def test_decoder_is_lightlys():
    torch.manual_seed(0)
    ours = MaskedDecoder(8, 12, width=16, n_blocks=2, n_heads=2)
    mask_token = nn.Parameter(ours.mask_token.detach().clone()[None, None])
    theirs = MaskedVisionTransformerDecoderTIMM(16, 16, 2, 2, mask_token=mask_token)
    theirs.blocks.load_state_dict(ours.blocks.state_dict())
    mask_token.data.copy_(ours.mask_token)  # theirs drew it anew
    positions = build_sincos2d_pos_embed([4, 4], 16)
    theirs.pos_embed.data.copy_(torch.cat([torch.zeros(1, 16), positions])[None])
    (visible, masked), encoded = chosen(2, 5), torch.randn(2, 6, 8)
    prefix, tokens = ours.embed(encoded).split([1, 5], dim=1)
    patches = mask_token.repeat(2, 16, 1).scatter(1, visible[..., None].expand(-1, -1, 16), tokens)
    expected = ours.head(theirs(torch.cat([prefix, patches], dim=1)))[:, 1:]
    expected = torch.take_along_dim(expected, masked[..., None], dim=1)
    torch.testing.assert_close(ours(encoded, visible, masked, (4, 4)), expected)


def test_decoder_takes_any_grid_and_no_prefix():
    decoder = MaskedDecoder(8, 12, width=16, n_blocks=1, n_heads=4)
    visible, masked = torch.tensor([[3, 0]]), torch.tensor([[1, 2, 4, 5]])
    assert decoder(torch.randn(1, 2, 8), visible, masked, (2, 3)).shape == (1, 4, 12)


@pytest.mark.parametrize("options", [{}, {"no_embed_class": True, "reg_tokens": 3}])
def test_fixed_positions_are_sines_and_cosines(options):
    """The paper's, up to the order of the channels."""
    encoder = transformer(**options)
    fix_positions(encoder)
    positions = encoder.pos_embed.detach()[0]
    assert not encoder.pos_embed.requires_grad
    assert (positions[:-64] == 0).all()
    expected = torch.as_tensor(get_2d_sine_cosine_positional_embedding(32, 8, False)).float()
    ours, theirs = positions[-64:].T.tolist(), expected.T.tolist()
    for one, other in zip(sorted(ours), sorted(theirs), strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def test_an_encoder_without_positions_stays_as_it_is():
    encoder = transformer(pos_embed="none")
    fix_positions(encoder)
    assert encoder.pos_embed is None


@pytest.mark.parametrize(
    ("name", "can"), [("tiny_vit", True), ("test_vit", True), ("test_resnet", False)]
)
def test_who_can_drop_patches(name, can):
    assert can_drop_patches(timm.create_model(name)) is can
    assert not can_drop_patches(nn.Identity())


def test_a_convolutional_stem_cannot_drop_patches():
    """A patch that it cuts has looked at its neighbours already."""
    with torch.device("meta"):
        hybrid = timm.create_model("vit_tiny_r_s16_p8_224")
    assert isinstance(hybrid, timm.models.VisionTransformer)
    assert not can_drop_patches(hybrid)
