import numpy as np
import pytest
from scipy.stats import binom

from segclf.datasets import COLORS, SHAPES, make_shapes, stamp
from segclf.datasets.colors import BACKGROUND_COLORS, BLUES

SMALL = {"image_size": 64, "n_objects": 6, "target_radius": 4, "background_radius": 4}


def pixels(images, color):
    return np.all(images == COLORS[color], axis=-1)


def test_shapes_types_and_names():
    shapes = make_shapes(3, image_size=(40, 60), random_state=0)
    assert shapes.images.shape == (3, 40, 60, 3)
    assert shapes.masks.shape == (3, 40, 60)
    assert shapes.images.dtype == shapes.masks.dtype == np.uint8
    assert shapes.target.shape == shapes.spurious.shape == (3,)
    assert shapes.target.dtype.kind == shapes.spurious.dtype.kind == "i"
    assert shapes.target_names.tolist() == ["no target", "target"]
    assert "navy" in shapes.DESCR


def test_same_seed_same_bits_other_seed_other_images():
    first, again = make_shapes(5, random_state=7), make_shapes(5, random_state=7)
    for key in ("images", "masks", "target", "spurious"):
        np.testing.assert_array_equal(first[key], again[key])
    assert (first.images != make_shapes(5, random_state=8).images).any()


def test_random_state_object_moves_on():
    random = np.random.RandomState(7)
    first, second = make_shapes(2, random_state=random), make_shapes(2, random_state=random)
    both = make_shapes(4, random_state=7)
    np.testing.assert_array_equal(np.concatenate([first.images, second.images]), both.images)


def test_fewer_images_are_the_first_of_more():
    few, many = make_shapes(4, random_state=1, **SMALL), make_shapes(9, random_state=1, **SMALL)
    for key in ("images", "masks", "target", "spurious"):
        np.testing.assert_array_equal(few[key], many[key][:4])


def test_mask_is_where_the_target_color_is():
    shapes = make_shapes(200, image_size=64, n_objects=12, random_state=0)
    np.testing.assert_array_equal(shapes.masks, pixels(shapes.images, "navy"))
    np.testing.assert_array_equal(shapes.masks.any(axis=(1, 2)), shapes.target)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_target_is_its_stamp_around_its_centre_and_nothing_hides_it(shape):
    shapes = make_shapes(
        image_size=64,
        n_samples=3,
        positive_fraction=1,
        target_shape=shape,
        target_location=((20, 20), (40, 40)),
        random_state=0,
    )
    expected = np.zeros((64, 64))
    expected[40 - 8 : 40 + 9, 20 - 8 : 20 + 9] = stamp(shape, 8)
    np.testing.assert_array_equal(shapes.masks, [expected] * 3)


@pytest.mark.parametrize("corner", [(0, 0), (63, 63)])
def test_a_target_in_the_corner_is_cut_but_there(corner):
    shapes = make_shapes(4, positive_fraction=1, target_location=[corner[:1] * 2] * 2, **SMALL)
    quarter = stamp("circle", 4)[4:, 4:]
    expected = np.zeros((64, 64))
    expected[:5, :5] = quarter
    np.testing.assert_array_equal(
        shapes.masks[0], expected if corner[0] == 0 else expected[::-1, ::-1]
    )


@pytest.mark.parametrize("fraction", [0.0, 0.2, 0.5, 1.0])
def test_positive_fraction_within_binomial_bounds(fraction):
    shapes = make_shapes(1000, positive_fraction=fraction, random_state=3, **SMALL)
    low, high = binom.interval(1 - 1e-6, 1000, fraction)
    assert max(low, 0) <= shapes.target.sum() <= high


def test_spurious_object_always_and_only_with_the_target():
    shapes = make_shapes(200, spurious_correlation=1, random_state=0, **SMALL)
    np.testing.assert_array_equal(shapes.spurious, shapes.target)


def test_spurious_object_never_with_the_target_and_always_without():
    shapes = make_shapes(200, spurious_correlation=0, random_state=0, **SMALL)
    np.testing.assert_array_equal(shapes.spurious, 1 - shapes.target)


@pytest.mark.parametrize("correlation", [0.5, 0.8])
def test_spurious_table_within_binomial_bounds(correlation):
    shapes = make_shapes(1000, spurious_correlation=correlation, random_state=0, **SMALL)
    for label in (0, 1):
        spurious = shapes.spurious[shapes.target == label]
        chance = correlation if label else 1 - correlation
        low, high = binom.interval(1 - 1e-6, len(spurious), chance)
        assert low <= spurious.sum() <= high


def test_spurious_object_is_painted_where_spurious_says_and_nowhere_else():
    shapes = make_shapes(
        100,
        image_size=64,
        n_objects=2,
        spurious_radius=28,
        spurious_location=(32, 32),
        background_colors=["red"],
        random_state=0,
    )
    pink = pixels(shapes.images, "pink")
    np.testing.assert_array_equal(pink.any(axis=(1, 2)), shapes.spurious)
    assert pink.sum(axis=(1, 2)).max() <= 57**2


def test_background_is_never_the_target_nor_the_spurious_object():
    shapes = make_shapes(
        100,
        image_size=32,
        n_objects=2,
        positive_fraction=0,
        spurious_correlation=0,
        spurious_location=(24, 24),
        spurious_radius=3,
        background_colors=["navy", "pink", "red"],
        background_shapes=["circle", "square"],
        background_radius=3,
        background_location=(8, 8),
        random_state=0,
    )
    # All images are negative and have the spurious object, so one background object is left.
    corner = shapes.images[:, :16, :16]
    areas = {name: pixels(corner, name).sum(axis=(1, 2)) for name in ("navy", "pink", "red")}
    circle, square = stamp("circle", 3).sum(), stamp("square", 3).sum()
    assert set(areas["navy"]) == {0, square}
    assert set(areas["pink"]) == {0, circle}
    assert set(areas["red"]) == {0, circle, square}
    assert not shapes.masks.any()


def test_the_other_shapes_of_the_targets_color_leave_the_mask_alone():
    shapes = make_shapes(50, background_colors=["navy"], random_state=0, **SMALL)
    navy = pixels(shapes.images, "navy")
    assert (navy.sum(axis=(1, 2)) > shapes.masks.sum(axis=(1, 2))).all()
    assert navy[shapes.masks == 1].all()


@pytest.mark.parametrize(("positive", "correlation"), [(0, 1), (0, 0), (1, 1), (1, 0)])
def test_number_of_objects_counts_target_and_spurious_object(positive, correlation):
    # Tiny objects on a large image hardly ever overlap.
    shapes = make_shapes(
        20,
        image_size=400,
        n_objects=5,
        target_radius=1,
        spurious_radius=1,
        background_radius=1,
        target_shape="square",
        background_shapes=["square"],
        positive_fraction=positive,
        spurious_correlation=correlation,
        random_state=1,
    )
    painted = ~pixels(shapes.images, "gray")
    assert np.median(painted.sum(axis=(1, 2))) == 5 * 9


def test_location_ranges_include_both_ends_for_x_and_for_y():
    shapes = make_shapes(
        300,
        positive_fraction=1,
        target_shape="square",
        target_location=((10, 12), (30, 31)),
        random_state=0,
        **SMALL,
    )
    corners = {tuple(np.argwhere(mask)[0] + 4) for mask in shapes.masks}
    assert corners == {(y, x) for y in (30, 31) for x in (10, 11, 12)}


@pytest.mark.parametrize(
    ("radius", "chances"),
    [({2: 0.1, 6: 0.9}, {2: 0.1, 6: 0.9}), ((3, 5), {3: 1 / 3, 4: 1 / 3, 5: 1 / 3}), (4.0, {4: 1})],
)
def test_radius_distributions(radius, chances):
    parameters = SMALL | {"target_radius": radius, "target_location": (32, 32)}
    shapes = make_shapes(500, positive_fraction=1, random_state=0, **parameters)
    areas = shapes.masks.sum(axis=(1, 2))
    assert {stamp("circle", value).sum() for value in chances} == set(areas)
    for value, chance in chances.items():
        low, high = binom.interval(1 - 1e-6, 500, chance)
        assert low <= (areas == stamp("circle", value).sum()).sum() <= high


def test_one_changed_parameter_leaves_all_else_as_it_was():
    few = make_shapes(100, positive_fraction=0.2, random_state=0, **SMALL)
    many = make_shapes(100, positive_fraction=0.8, random_state=0, **SMALL)
    assert (few.target <= many.target).all()
    np.testing.assert_array_equal(few.masks[few.target == 1], many.masks[few.target == 1])


def test_number_of_background_kinds():
    seen = []
    for n_kinds in (1, 2, 9):
        shapes = make_shapes(
            60,
            image_size=100,
            positive_fraction=0,
            spurious_correlation=1,
            n_background_kinds=n_kinds,
            random_state=0,
        )
        seen.append({tuple(color) for color in shapes.images[:, ::4, ::4].reshape(-1, 3)})
        assert len(seen[-1]) == n_kinds + 1
    assert seen[0] < seen[1] < seen[2]


def test_default_colors_are_those_of_table_a2():
    assert len(BLUES) == len(set(BLUES)) == 8
    assert BACKGROUND_COLORS[:6] == ("yellow", "green", "pink", "red", "orange", "purple")
    assert BACKGROUND_COLORS[6:] == BLUES
    assert "navy" not in BACKGROUND_COLORS
    assert SHAPES == ("circle", "diamond", "octagon", "rectangle", "square", "star")


def test_colors_as_triples():
    by_name = make_shapes(3, target_color="navy", random_state=0)
    by_value = make_shapes(3, target_color=(0, 0, 128), random_state=0)
    np.testing.assert_array_equal(by_name.images, by_value.images)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_samples": 0}, r"n_samples must be an integer of at least 1, got 0"),
        ({"image_size": 2}, r"image_size must be an integer of at least 3, got 2"),
        ({"image_size": (3, 4, 5)}, r"image_size must be an integer or \(height, width\)"),
        ({"n_objects": 1}, r"n_objects must be an integer of at least 2, got 1"),
        ({"positive_fraction": 1.5}, r"positive_fraction must be a number in \[0, 1\], got 1.5"),
        ({"positive_fraction": float("nan")}, r"positive_fraction must be .* got nan"),
        ({"spurious_correlation": -0.1}, r"spurious_correlation must be .* got -0.1"),
        ({"target_color": "nvay"}, r"target color: no color named 'nvay'; known: black, blue"),
        ({"target_color": (0, 0, 256)}, r"channel of target color .* in \[0, 255\], got 256"),
        ({"target_color": (0, 0)}, r"target color must be a name or \(red, green, blue\)"),
        ({"spurious_shape": "blob"}, r"spurious shape: no shape named 'blob'; known: circle"),
        ({"background_shapes": ["blob"]}, r"background shape: no shape named 'blob'"),
        ({"background_shapes": []}, r"at least one color and one shape"),
        ({"target_radius": 113}, r"target_radius must be a number in \[1, 112.0\], got 113"),
        ({"target_radius": (8, 4)}, r"target_radius must be .* low <= high, got \(8, 4\)"),
        (
            {"target_radius": {8: 0.5}},
            r"probabilities in target_radius must sum to 1, got \{8: 0.5\}",
        ),
        ({"target_radius": {8: 1.5, 9: -0.5}}, r"probability in target_radius must be .* got 1.5"),
        ({"target_location": (0, 224)}, r"target_location must be inside the image, in 0..223"),
        ({"target_location": 5}, r"target_location must be None, .* got 5"),
        ({"spurious_color": "navy", "spurious_shape": "circle"}, r"must differ from the target"),
        (
            {"background_colors": ["navy"], "background_shapes": ["circle"]},
            r"leave no background object",
        ),
        ({"n_background_kinds": 84}, r"n_background_kinds must be an integer in \[1, 83\], got 84"),
    ],
)
def test_errors_say_what_was_given_and_expected(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_shapes(**({"n_samples": 1} | parameters))


def test_volumes_have_a_third_axis_and_are_gray():
    volumes = make_shapes(6, depth=12, positive_fraction=0.5, random_state=0, **SMALL)
    assert volumes.images.shape == volumes.masks.shape == (6, 12, 64, 64)
    assert volumes.images.dtype == volumes.masks.dtype == np.uint8
    np.testing.assert_array_equal(volumes.masks.any(axis=(1, 2, 3)), volumes.target)
    assert set(volumes.target) == {0, 1}
    # navy is as light as 15, and nothing else is
    np.testing.assert_array_equal(volumes.masks == 1, volumes.images == 15)


def test_a_target_in_a_volume_is_a_ball_around_its_centre():
    location = ((32, 32), (20, 20))
    settings = {**SMALL, "n_objects": 2, "target_radius": 4, "target_location": location}
    mask = make_shapes(1, depth=40, positive_fraction=1, random_state=3, **settings).masks[0]
    middle = int(np.argmax(mask.sum(axis=(1, 2))))
    z, y, x = np.ogrid[:40, :64, :64]
    ball = (x - 32) ** 2 + (y - 20) ** 2 + (z - middle) ** 2 <= 4.5**2
    np.testing.assert_array_equal(mask, ball)


def test_volumes_of_several_depths_are_a_list_and_each_its_own():
    few, many = (make_shapes(n, depth=(3, 9), random_state=1, **SMALL) for n in (4, 12))
    assert isinstance(many.images, list)
    depths = [len(volume) for volume in many.images]
    assert set(depths) <= set(range(3, 10))
    assert len(set(depths)) > 3
    assert depths == [len(mask) for mask in many.masks]
    for index in range(4):
        np.testing.assert_array_equal(few.images[index], many.images[index])


def test_objects_of_a_volume_that_look_alike_in_gray_are_one():
    with pytest.raises(ValueError, match="must differ from the target"):
        make_shapes(depth=4, spurious_color=(15, 15, 15), spurious_shape="circle", **SMALL)


@pytest.mark.parametrize("depth", [0, (4, 3), 2.5, (1, 2, 3)])
def test_depth_is_a_number_or_a_range(depth):
    with pytest.raises(ValueError, match="depth must be"):
        make_shapes(depth=depth, **SMALL)
