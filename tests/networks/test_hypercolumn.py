import pytest
import torch
import torch.nn.functional as F

from segclf.networks import build, segmentation_network
from segclf.networks.hypercolumn import HypercolumnDecoder


def network(encoder="tiny", **changes):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return segmentation_network(architecture="hypercolumn", encoder=encoder, **changes)


def maps(n_images=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    sizes = [(3, 32, 48), (5, 16, 24), (6, 8, 12), (7, 4, 6)]
    return [3 + 2 * torch.randn(n_images, *size, generator=generator) for size in sizes]


def test_it_reads_each_map_on_its_own_grid():
    decoder = HypercolumnDecoder([3, 5, 6, 7], 8).eval()
    decoder.mean.uniform_(-1, 1), decoder.variance.uniform_(0.5, 2)
    _, fine, middle, coarse = given = maps()
    seen, first = [], 0
    for reader, each in zip(decoder.read, (F.avg_pool2d(fine, 2), middle, coarse), strict=True):
        part = slice(first, first := first + each.shape[1])
        mean, variance = (v[part, None, None] for v in (decoder.mean, decoder.variance))
        standard = (each - mean) / (variance.sqrt() + 1e-3)
        read = F.conv2d(standard, reader[0].weight, reader[0].bias, padding=1)
        seen.append(F.group_norm(read, 8, reader[1].weight, reader[1].bias).relu())
    joined = seen[0] + seen[1] + F.interpolate(seen[2], (8, 12), mode="bilinear")
    torch.testing.assert_close(decoder(given), decoder.mix(joined), atol=1e-4, rtol=1e-4)


def test_statistics_are_those_of_all_batches():
    decoder = HypercolumnDecoder([3, 5, 6, 7], 8)
    batches = [maps(seed=seed) for seed in range(3)]
    for batch in batches:
        decoder(batch)
    fine, middle, coarse = (torch.cat([b[i] for b in batches]) for i in (1, 2, 3))
    every = [F.avg_pool2d(fine, 2), middle, coarse]
    torch.testing.assert_close(decoder.mean, torch.cat([each.mean((0, 2, 3)) for each in every]))
    variance = torch.cat([each.var((0, 2, 3), correction=0) for each in every])
    torch.testing.assert_close(decoder.variance, variance)
    decoder.eval()(maps(seed=9))
    torch.testing.assert_close(decoder.variance, variance)


@pytest.mark.parametrize("encoder", ["tiny", "tiny_vit", "resnet18", "mit_b0", "convnext_atto"])
@pytest.mark.parametrize("size", [(32, 32), (33, 50)])
def test_every_encoder_with_maps(encoder, size):
    made = network(encoder, n_classes=3, in_channels=2).train()
    assert made(torch.rand(2, 2, *size)).shape == (2, 3, *size)
    again = build(made.recipe)
    again.load_state_dict(made.state_dict())
    image = torch.rand(2, 2, *size)
    assert torch.equal(again.eval()(image), made.eval()(image))


@pytest.mark.parametrize("encoder", ["tiny", "mit_b0", "tiny_vit"])
def test_maps_at_two_scales(encoder):
    """They are those of the image and of the enlarged image; the deepest is the image's own."""
    one, two = (network(encoder, encoder_scales=scales).eval() for scales in (None, (1, 2)))
    image = torch.rand(2, 3, 33, 50)
    prepared = one.prepare(image)
    enlarged = F.interpolate(prepared, scale_factor=2, mode="bilinear")
    expected = [prepared, *one.encoder(enlarged)[1:], *one.encoder(prepared)[1:]]
    for found, maps in zip(two.features(image), expected, strict=True):
        assert torch.equal(found, maps)
    assert torch.equal(one.embed(image), two.embed(image))
    assert two(image).shape == (2, 2, 33, 50)
    assert build(two.recipe).recipe == two.recipe


def test_two_scales_where_there_is_one_size_alone():
    with torch.device("meta"):
        made = network("hiera_tiny_224", encoder_scales=(1, 2))
        with pytest.raises(ValueError, match=r"224 x 224 pixels, and.* leave encoder_scales None"):
            made(torch.zeros(1, 3, 224, 224))


def test_a_single_pixel_is_enough():
    made = network().train()
    for _ in range(2):
        assert made(torch.rand(1, 3, 1, 2)).isfinite().all()


@pytest.mark.parametrize(
    ("encoder", "size", "grid"),
    [("tiny", 32, 8), ("resnet18", 64, 16), ("mit_b0", 64, 16), ("vit_tiny_patch16_224", 64, 4)],
)
def test_the_grid(encoder, size, grid):
    """Stride 4, or that of the patches."""
    made = network(encoder).eval()
    assert made.decoder(made.features(torch.rand(1, 3, size, size))).shape[-1] == grid


def test_last_blocks_of_a_transformer():
    made = network("vit_tiny_patch16_224", encoder_depth=3).eval()
    found = made.features(torch.rand(1, 3, 32, 48))
    assert [tuple(each.shape[1:]) for each in found] == [(3, 32, 48), *3 * [(192, 2, 3)]]
    assert not torch.equal(found[1], found[3])


def test_statistics_stay_after_32_batches():
    decoder = HypercolumnDecoder([3, 5, 6, 7], 8)
    for _ in range(32):
        decoder(maps(1))
    variance = decoder.variance.clone()
    decoder(maps(1, seed=1))
    assert torch.equal(decoder.variance, variance)


def test_two_batches_in_one_step():
    made = network().train()
    (made(torch.rand(2, 3, 16, 16)) - made(torch.rand(2, 3, 16, 16))).square().mean().backward()
    assert all(each.grad is not None for each in made.decoder.parameters())


def test_the_result_for_an_image_does_not_depend_on_its_company():
    made, image = network().eval(), torch.rand(3, 3, 16, 16)
    torch.testing.assert_close(made(image)[:1], made(image[:1]))


def test_autocast():
    made = network().train()
    with torch.autocast("cpu", torch.bfloat16):
        scores = made(torch.rand(2, 3, 16, 16))
    scores.float().sum().backward()
    assert made.decoder.mean.dtype == torch.float32
    assert scores.isfinite().all()


def test_scores_start_at_the_share_of_each_class():
    shares = torch.tensor([0.9, 0.1, 0.0])
    made = network(n_classes=3).set_prior(shares, multilabel=False)
    made.head.weight.data.zero_()
    found = made(torch.rand(1, 3, 8, 8)).softmax(1)[0, :, 0, 0]
    torch.testing.assert_close(found, shares, atol=2e-4, rtol=0)
    made.set_prior(shares, multilabel=True)
    found = made(torch.rand(1, 3, 8, 8)).sigmoid()[0, :, 0, 0]
    torch.testing.assert_close(found, shares, atol=2e-4, rtol=0)
    other = segmentation_network(encoder="tiny", n_classes=3)
    before = other.head[-1].bias.clone()
    other.set_prior(shares, multilabel=False)
    assert torch.equal(other.head[-1].bias, before)
