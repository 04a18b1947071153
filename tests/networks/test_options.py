import pytest

from segclf.networks.options import resolve_depth, resolve_options


def resolve(name, key="resnet18", **options):
    nothing = {"encoder_depth": None, "decoder_channels": None, "decoder_attention": None}
    return resolve_options(name, key, **{**nothing, **options})


def test_defaults():
    assert resolve("unet") == {
        "encoder_depth": 5,
        "decoder_channels": [256, 128, 64, 32, 16],
        "decoder_attention": None,
    }
    assert resolve("pspnet")["encoder_depth"] == 3
    assert resolve("fpn")["decoder_channels"] is None
    assert resolve("pan")["decoder_channels"] == 32


def test_shallower_decoders_keep_the_deep_widths():
    assert resolve("unet", encoder_depth=3)["decoder_channels"] == [256, 128, 64]


def test_tiny_gets_a_small_decoder():
    assert resolve("unet", "segclf-tiny")["decoder_channels"] == [32, 16, 16]
    assert resolve("unet", "segclf-tiny")["encoder_depth"] == 3
    assert resolve("deeplabv3", "segclf-tiny")["decoder_channels"] == 32


def test_vit_unet_has_five_widths_and_no_depth():
    assert resolve("vit_unet", "tu-vit_small_patch8_224") == {
        "encoder_depth": None,
        "decoder_channels": [64, 128, 256, 512, 512],
        "decoder_attention": None,
    }
    assert resolve("vit_unet", "tu-tiny_vit")["decoder_channels"] == [16, 16, 16, 32, 32]


def test_what_is_given_is_kept():
    given = {"encoder_depth": 2, "decoder_channels": [8, 4], "decoder_attention": "scse"}
    assert resolve("unet", **{**given, "decoder_channels": (8, 4)}) == given


@pytest.mark.parametrize(
    ("name", "key", "options", "text"),
    [
        ("fpn", "resnet18", {"decoder_channels": 8}, "no such option. These have: deeplabv3, "),
        ("manet", "resnet18", {"decoder_attention": "scse"}, "have: unet, unetplusplus"),
        ("unet", "resnet18", {"decoder_attention": "se"}, "expected None or 'scse'"),
        ("unet", "resnet18", {"decoder_channels": [8, 4]}, "one number per stage.*5 in all"),
        ("unet", "resnet18", {"decoder_channels": 8}, "one number per stage"),
        ("upernet", "resnet18", {"decoder_channels": [8, 4]}, "takes one number, .* 256"),
        ("unet", "resnet18", {"encoder_depth": 6}, "takes 1 to 5 stages"),
        ("fpn", "resnet18", {"encoder_depth": 2}, "takes 3 to 5 stages"),
        ("unet", "segclf-tiny", {"encoder_depth": 5}, "1 to 3 stages of the tiny encoder"),
        ("vit_unet", "tu-test_vit", {"encoder_depth": 4}, "uses the whole encoder; expected None"),
        (
            "vit_unet",
            "tu-test_vit",
            {"decoder_channels": [8, 4]},
            "one number per stage, 5 in all",
        ),
        ("vit_unet", "tu-test_vit", {"decoder_attention": "scse"}, "have: unet, unetplusplus"),
        ("u-net", "resnet18", {}, "No architecture named 'u-net'. Did you mean unet"),
    ],
)
def test_what_has_no_place_is_refused(name, key, options, text):
    with pytest.raises(ValueError, match=text):
        resolve(name, key, **options)


@pytest.mark.parametrize(
    ("key", "depth", "resolved"),
    [
        ("resnet18", None, 5),
        ("resnet18", 3, 3),
        ("segclf-tiny", None, 3),
        ("tu-test_vit", None, None),
    ],
)
def test_depth_of_a_classifier(key, depth, resolved):
    assert resolve_depth(key, depth) == resolved


@pytest.mark.parametrize(
    ("key", "depth", "text"),
    [
        ("resnet18", 6, "encoder='resnet18' has 1 to 5 stages"),
        ("mit_b0", 1, "encoder='mit_b0' has 2 to 5 stages"),
        ("segclf-tiny", 4, "encoder='tiny' has 1 to 3 stages"),
        ("tu-test_vit", 2, "encoder='test_vit' is a whole timm model"),
    ],
)
def test_depth_that_a_classifier_s_encoder_does_not_have(key, depth, text):
    with pytest.raises(ValueError, match=text):
        resolve_depth(key, depth)


def test_scales_are_put_in_order_and_left_out_where_there_is_nothing_to_say():
    assert resolve("hypercolumn", encoder_scales=(1, 2))["encoder_scales"] == [2, 1]
    assert "encoder_scales" not in resolve("hypercolumn", encoder_scales=[1])


@pytest.mark.parametrize("scales", [(), (1, 1), (1.5,), (0, 1)])
def test_scales_are_different_whole_numbers(scales):
    with pytest.raises(
        ValueError, match=r"expected different whole numbers of 1 or more.*\(1, 2\)"
    ):
        resolve("hypercolumn", encoder_scales=scales)


def test_other_heads_see_one_scale():
    with pytest.raises(ValueError, match=r"no such option\. These have: hypercolumn"):
        resolve("unet", encoder_scales=(1, 2))
