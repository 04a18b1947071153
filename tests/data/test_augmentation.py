import pytest
import torch
from sklearn.base import clone

from segclf.data.augmentation import Augmentation
from segclf.data.presets import PRESETS, as_augmentation

EVERYTHING = Augmentation(**PRESETS["strong"], quarter_turns=0.5)
FILTERS = Augmentation(grayscale=0.5, blur=(0.1, 2.0), blur_probability=0.5, solarize=0.5)
COLORS = Augmentation(brightness=0.5, contrast=0.5, saturation=0.5, hue=60, noise=0.3)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def smooth_images(n_images=4, n_channels=3, height=24, width=24, seed=0):
    coarse = torch.rand(n_images, n_channels, 4, 4, generator=generator(seed))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")


def blocky_masks(n_images=4, height=24, width=24, seed=0):
    coarse = torch.randint(-1, 3, (n_images, 1, 3, 3), generator=generator(seed)).float()
    return torch.nn.functional.interpolate(coarse, (height, width), mode="nearest")[:, 0].long()


@pytest.mark.parametrize("n_channels", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [(24, 24), (18, 30), (1, 7)])
def test_without_settings_nothing_changes(n_channels, size):
    image, mask = smooth_images(4, n_channels, *size), blocky_masks(4, *size)
    same_image, same_mask = Augmentation()(image, mask, generator())
    assert torch.equal(same_image, image)
    assert torch.equal(same_mask, mask)


@pytest.mark.parametrize("probability", ["affine_probability", "color_probability"])
def test_probability_zero_leaves_images_as_they_are(probability):
    settings = {"rotation": 40} if probability == "affine_probability" else {"contrast": 0.5}
    image = smooth_images()
    assert not torch.equal(Augmentation(**settings)(image, None, generator())[0], image)
    off = Augmentation(**settings, **{probability: 0.0})
    assert torch.equal(off(image, None, generator())[0], image)


@pytest.mark.parametrize("settings", [{"rotation": 40}, {"contrast": 0.5}])
def test_probability_is_that_of_an_image(settings):
    image = torch.rand(200, 1, 6, 6, generator=generator())
    half = Augmentation(**settings, affine_probability=0.5, color_probability=0.5)
    changed, _ = half(image, None, generator())
    n_changed = ((changed - image).abs().amax(dim=(1, 2, 3)) > 1e-4).sum()
    assert 70 < n_changed < 130


@pytest.mark.parametrize(
    "settings", [{"horizontal_flip": 0.5, "vertical_flip": 0.5}, {"quarter_turns": 1.0}]
)
@pytest.mark.parametrize("size", [(24, 24), (18, 30)])
def test_flips_and_turns_are_exact(settings, size):
    mask = torch.randint(-1, 9, (64, *size), generator=generator())
    image, moved_mask = Augmentation(**settings)(mask[:, None].float(), mask, generator(1))
    assert torch.equal(image[:, 0].long(), moved_mask)
    turns = range(4) if size[0] == size[1] else (0, 2)
    layouts = [torch.rot90(m, k, (1, 2)) for m in (mask, mask.flip(-1)) for k in turns]
    used = [(layout == moved_mask).flatten(1).all(dim=1) for layout in layouts]
    expected = 4 if "horizontal_flip" in settings or len(turns) == 4 else 2
    assert torch.stack(used).any(dim=0).all()
    assert sum(bool(u.any()) for u in used) == expected


def test_an_image_equal_to_its_mask_stays_equal():
    mask = (blocky_masks(16) > 0).long()
    augmentation = Augmentation(
        horizontal_flip=0.5,
        quarter_turns=0.5,
        rotation=45,
        scale=(0.7, 1.4),
        shear=15,
        translation=0.2,
        crop=(0.5, 1.0),
    )
    image, moved = augmentation(mask[:, None].float(), mask, generator())
    image = image[:, 0]
    inside = (image < 0.01) | (image > 0.99)
    assert not torch.equal(moved, mask)
    assert inside.float().mean() > 0.6
    assert torch.equal(image.round().long()[inside], moved[inside])
    # Where bilinear weights mix both ids, the nearest pixel has the largest weight but not always
    # the majority.
    assert (image.round().long() == moved).float().mean() > 0.95


def test_crops_have_the_areas_asked_for():
    y, x = torch.meshgrid(torch.arange(20) / 20, torch.arange(40) / 40, indexing="ij")
    ramps = torch.stack([x, y]).repeat(500, 1, 1, 1)
    cropped, _ = Augmentation(crop=(0.3, 0.9))(ramps, None, generator())
    # The slope of a ramp tells how much of it fills the result.
    area = 800 * cropped[:, 0, 10].diff()[:, 20] * cropped[:, 1, :, 20].diff()[:, 10]
    quantiles = area.quantile(torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]))
    expected = torch.tensor([0.3, 0.45, 0.6, 0.75, 0.9])
    torch.testing.assert_close(quantiles, expected, atol=0.04, rtol=0)


def test_masks_of_all_kinds_move_alike():
    image, mask = smooth_images(), blocky_masks()
    stack = torch.stack([(mask == k).long().masked_fill(mask == -1, -1) for k in range(3)], dim=1)
    _, moved = EVERYTHING(image, mask, generator())
    _, moved_stack = EVERYTHING(image, stack, generator())
    assert moved.dtype == moved_stack.dtype == torch.int64
    assert set(moved.unique().tolist()) == {-1, 0, 1, 2}
    for k in range(3):
        expected = (moved == k).long().masked_fill(moved == -1, -1)
        assert torch.equal(moved_stack[:, k], expected)


def test_ids_survive_up_to_2_to_the_24():
    mask = torch.full((1, 6, 6), 2**24)
    _, moved = EVERYTHING(torch.zeros(1, 1, 6, 6), mask, generator())
    assert torch.equal(moved, mask)


def test_the_generator_decides_everything():
    image, mask = smooth_images(), blocky_masks()
    first, first_mask = EVERYTHING(image, mask, generator(7))
    again, again_mask = EVERYTHING(image, mask, generator(7))
    other, _ = EVERYTHING(image, mask, generator(8))
    assert torch.equal(first, again)
    assert torch.equal(first_mask, again_mask)
    assert not torch.allclose(first, other)
    running = generator(7)
    EVERYTHING(image, mask, running)
    assert not torch.allclose(first, EVERYTHING(image, mask, running)[0])


def test_global_generators_stay_untouched():
    before = torch.get_rng_state()
    EVERYTHING(smooth_images(), blocky_masks(), generator())
    assert torch.equal(before, torch.get_rng_state())


def test_the_mask_does_not_influence_the_image():
    image = smooth_images()
    with_mask, _ = EVERYTHING(image, blocky_masks(), generator())
    without, nothing = EVERYTHING(image, None, generator())
    assert torch.equal(with_mask, without)
    assert nothing is None


@pytest.mark.parametrize(
    "settings",
    [
        {"rotation": 30},
        {"scale": (0.7, 1.4)},
        {"translation": 0.2},
        {"shear": 30},
        {"crop": (0.4, 0.9)},
        {"brightness": 0.5},
        {"contrast": 0.5},
        {"saturation": 0.5},
        {"hue": 60},
        {"noise": 0.5},
        {"blur": (0.1, 2.0)},
    ],
)
def test_every_setting_changes_every_image_in_its_own_way(settings):
    image = smooth_images(1).repeat(5, 1, 1, 1)
    changed, _ = Augmentation(**settings)(image, None, generator())
    distances = torch.cdist(changed.flatten(1), torch.cat([changed, image[:1]]).flatten(1))
    assert (distances.fill_diagonal_(torch.inf) > 1e-3).all()


def test_an_image_does_not_depend_on_the_others():
    image, mask = smooth_images(), blocky_masks()
    others, other_masks = 100 * smooth_images(seed=5), blocky_masks(seed=5)
    others[2], other_masks[2] = image[2], mask[2]
    changed, changed_mask = EVERYTHING(image, mask, generator())
    alike, alike_mask = EVERYTHING(others, other_masks, generator())
    torch.testing.assert_close(changed[2], alike[2])
    assert torch.equal(changed_mask[2], alike_mask[2])


@pytest.mark.parametrize(
    "augmentation", [EVERYTHING, COLORS, FILTERS], ids=["everything", "colors", "filters"]
)
@pytest.mark.parametrize("n_channels", [1, 3, 4])
@pytest.mark.parametrize(("slope", "start"), [(1000.0, -300.0), (1e-3, 5e-3)])
def test_units_do_not_matter(augmentation, n_channels, slope, start):
    image = smooth_images(n_channels=n_channels)
    changed, _ = augmentation(image, None, generator())
    rescaled, _ = augmentation(slope * image + start, None, generator())
    torch.testing.assert_close(rescaled, slope * changed + start, rtol=1e-4, atol=1e-4 * slope)


def test_noise_is_a_share_of_the_deviation():
    image = 500 * smooth_images(100, 1)
    noisy, _ = Augmentation(noise=0.2)(image, None, generator())
    shares = (noisy - image).std(dim=(1, 2, 3)) / image.std(dim=(1, 2, 3))
    assert shares.min() < 0.02
    assert shares.median() == pytest.approx(0.1, abs=0.03)
    assert 0.18 < shares.max() < 0.22


def test_colors_leave_masks_alone():
    mask = blocky_masks()
    assert COLORS(smooth_images(), mask, generator())[1] is mask


def test_constant_images_stay_constant():
    image = torch.full((4, 3, 8, 8), 7.0)
    torch.testing.assert_close(EVERYTHING(image, None, generator())[0], image)


def test_inputs_are_not_modified():
    image, mask = smooth_images(), blocky_masks()
    kept, kept_mask = image.clone(), mask.clone()
    EVERYTHING(image, mask, generator())
    assert torch.equal(image, kept)
    assert torch.equal(mask, kept_mask)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_memory_format_is_kept_and_does_not_matter(name):
    image = smooth_images()
    last = image.contiguous(memory_format=torch.channels_last)
    changed, _ = as_augmentation(name)(image, None, generator())
    changed_last, _ = as_augmentation(name)(last, None, generator())
    assert changed.is_contiguous()
    assert changed_last.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(changed, changed_last)


def test_autocast_does_not_move_pixels():
    image, mask = smooth_images(), blocky_masks()
    plain = EVERYTHING(image, mask, generator())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = EVERYTHING(image, mask, generator())
    assert all(torch.equal(p, c) for p, c in zip(plain, cast, strict=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_does_what_the_cpu_does():
    image, mask = smooth_images(), blocky_masks()
    changed, moved = EVERYTHING(image, mask, generator())
    on_gpu, moved_on_gpu = EVERYTHING(image.cuda(), mask.cuda(), generator())
    torch.testing.assert_close(on_gpu.cpu(), changed, rtol=1e-3, atol=1e-3)
    assert (moved_on_gpu.cpu() == moved).float().mean() > 0.99


def test_settings_are_scikit_learn_parameters():
    augmentation = Augmentation(rotation=10, scale=(0.9, 1.1))
    copy = clone(augmentation).set_params(rotation=20)
    assert copy.get_params() == {**augmentation.get_params(), "rotation": 20}
    assert repr(augmentation) == "Augmentation(rotation=10, scale=(0.9, 1.1))"


def test_what_only_turns():
    turns = Augmentation(horizontal_flip=0.5, vertical_flip=1.0, quarter_turns=0.2)
    assert all(each.only_turns for each in (turns, as_augmentation("flips"), Augmentation()))
    for name in ("light", "strong"):
        assert not as_augmentation(name).only_turns
    for change in ({"crop": [0.5, 1.0]}, {"grayscale": 0.1}, {"output_scale": 0.5}):
        assert not clone(turns).set_params(**change).only_turns
