import pytest
import torch
from lightly.models.modules import MaskedVisionTransformerTIMM

from segclf.networks import Inpainter, classification_network


def network(encoder, in_channels=3):
    torch.manual_seed(0)
    return classification_network(encoder=encoder, in_channels=in_channels, n_classes=0).eval()


@pytest.mark.filterwarnings("ignore:`timm-` encoders:DeprecationWarning")
@pytest.mark.parametrize(
    ("encoder", "unit", "stride"),
    [
        ("tiny_vit", 4, 4),
        ("swin_tiny_patch4_window7_224", 4, 32),
        ("tiny", 1, 8),
        ("mit_b0", 1, 32),
        ("timm-efficientnet-b0", 1, 32),
        ("test_convnext", 1, 32),
        ("test_mambaout", 1, 32),
    ],
)
def test_what_is_hidden_does_not_get_through(encoder, unit, stride):
    """Whatever is there, the image painted is the same; what is visible changes it."""
    net = network(encoder)
    inpainter = Inpainter(net)
    assert (inpainter.unit, inpainter.stride) == (unit, stride)
    image = torch.rand(2, 3, 32, 64)
    hidden = torch.rand(2, 32 // unit, 64 // unit) < 0.5
    pixels = hidden.repeat_interleave(unit, 1).repeat_interleave(unit, 2)[:, None]
    other = torch.rand_like(image)
    with torch.no_grad():
        painted = inpainter(net.encoder, image, hidden)
        same = inpainter(net.encoder, torch.where(pixels, other, image), hidden)
        changed = inpainter(net.encoder, torch.where(pixels, image, other), hidden)
    assert painted.shape == image.shape
    torch.testing.assert_close(same, painted)
    assert not torch.allclose(changed, painted)


@pytest.mark.parametrize("encoder", ["tiny", "tiny_vit"])
def test_what_stands_for_the_hidden_is_learned(encoder):
    net = network(encoder)
    inpainter = Inpainter(net)
    side = 16 // inpainter.unit
    hidden = torch.zeros(2, side, side, dtype=bool)
    hidden[:, 0, 1] = True
    inpainter(net.encoder, torch.rand(2, 3, 16, 16), hidden).square().sum().backward()
    assert (inpainter.token.grad != 0).all()


def test_tokens_are_hidden_as_lightly_does():
    net, image = network("tiny_vit"), torch.rand(2, 3, 16, 16)
    inpainter = Inpainter(net)
    hidden = torch.rand(2, 4, 4) < 0.5
    theirs = MaskedVisionTransformerTIMM(
        net.encoder,
        mask_token=torch.nn.Parameter(inpainter.token.detach()[None, None]),
        weight_initialization="skip",
        pos_embed_initialization="skip",
    )
    mask = torch.cat([torch.zeros(2, 1, dtype=bool), hidden.flatten(1)], dim=1)
    deepest = theirs.encode(image, mask=mask)[:, 1:].transpose(1, 2).reshape(2, 32, 4, 4)
    torch.testing.assert_close(inpainter(net.encoder, image, hidden), inpainter.head(deepest))


def test_the_encoder_is_itself_again_afterwards():
    net, image = network("tiny_vit"), torch.rand(2, 3, 16, 16)
    before = net(image)
    inpainter = Inpainter(net)
    inpainter(net.encoder, image, torch.ones(2, 4, 4, dtype=bool))
    assert torch.equal(net(image), before)
    assert len(list(inpainter.parameters())) == 3, "the encoder is not kept"


def test_channels_of_the_image():
    net = network("tiny", in_channels=2)
    hidden = torch.zeros(1, 8, 8, dtype=bool)
    assert Inpainter(net)(net.encoder, torch.rand(1, 2, 8, 8), hidden).shape == (1, 2, 8, 8)
