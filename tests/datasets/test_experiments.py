import numpy as np
import pytest

from segclf.datasets import COLORS, SHAPES_EXPERIMENT_LEVELS, make_shapes_experiment, stamp

SMALL = {"n_train": 200, "n_validation": 20, "n_test": 20, "image_size": 56, "random_state": 0}
UNCHANGED = [
    ("class_balance", 0.1, 0.9),
    ("location_bias", 0.0, 0.5),
    ("size_bias", 0.1, 0.3),
    ("spurious_correlation", 0.0, 1.0),
]


@pytest.fixture
def made(monkeypatch):
    """What make_shapes was asked for, instead of its images."""
    calls = []
    monkeypatch.setattr(
        "segclf.datasets.experiments.make_shapes",
        lambda n_samples, **parameters: calls.append((n_samples, parameters)),
    )
    return calls


def areas(part):
    return part.masks[part.target == 1].sum(axis=(1, 2))


def scaled(radius):
    return stamp("circle", radius * 56 / 224).sum()


def test_the_seven_rows_of_table_a3():
    ends = {name: (min(levels), max(levels)) for name, levels in SHAPES_EXPERIMENT_LEVELS.items()}
    assert ends == {
        "class_balance": (0.01, 1),
        "location_bias": (0, 1),
        "n_objects": (1, 10),
        "size_bias": (0.01, 1 / 3),
        "spurious_correlation": (0, 1),
        "target_size": (8, 40),
        "training_size": (1_000, 100_000),
    }


@pytest.mark.parametrize("name", SHAPES_EXPERIMENT_LEVELS)
def test_every_level_of_every_experiment_can_be_made(name):
    for level in SHAPES_EXPERIMENT_LEVELS[name]:
        if name == "training_size":
            continue
        data = make_shapes_experiment(name, level, **SMALL | {"n_train": 3})
        assert (data.name, data.level, data.levels[0]) == (
            name,
            level,
            SHAPES_EXPERIMENT_LEVELS[name][0],
        )
        assert [len(data[part].images) for part in ("train", "validation", "test")] == [3, 20, 20]


@pytest.mark.parametrize(("name", "low", "high"), UNCHANGED)
def test_the_level_changes_only_the_training_data(name, low, high):
    one, other = (make_shapes_experiment(name, level, **SMALL) for level in (low, high))
    assert (one.train.images != other.train.images).any()
    for part in ("validation", "test"):
        np.testing.assert_array_equal(one[part].images, other[part].images)
        np.testing.assert_array_equal(one[part].target, other[part].target)


def test_parts_are_sampled_independently():
    data = make_shapes_experiment("class_balance", 0.5, **SMALL)
    assert (data.train.images[:20] != data.test.images).any()
    assert (data.validation.images != data.test.images).any()


def test_training_size_is_the_level_and_smaller_sets_begin_larger_ones():
    sizes = {key: value for key, value in SMALL.items() if key != "n_train"}
    few, many = (make_shapes_experiment("training_size", level, **sizes) for level in (5, 9))
    assert len(many.train.images) == 9
    np.testing.assert_array_equal(few.train.images, many.train.images[:5])
    np.testing.assert_array_equal(few.test.images, many.test.images)


def test_class_balance():
    assert make_shapes_experiment("class_balance", 1, **SMALL).train.target.all()
    assert 0 < make_shapes_experiment("class_balance", 0.1, **SMALL).train.target.mean() < 0.25


def test_size_bias_has_three_sizes_in_training_and_the_small_one_in_test():
    data = make_shapes_experiment("size_bias", 0.1, **SMALL | {"n_train": 400})
    large = areas(data.train) > scaled(8)
    assert large.mean() == pytest.approx(0.9, abs=0.08)
    assert areas(data.train).max() == scaled(40)
    assert scaled(24) in areas(data.train)
    assert areas(data.test).max() == areas(data.validation).max() == scaled(8)


def test_spurious_correlation_is_gone_in_test():
    data = make_shapes_experiment("spurious_correlation", 1, **SMALL)
    np.testing.assert_array_equal(data.train.spurious, data.train.target)
    assert (data.validation.spurious != data.validation.target).any()
    assert (data.test.spurious != data.test.target).any()


@pytest.mark.parametrize(("image_size", "radius"), [(224, 28), (56, 7)])
def test_the_spurious_object_is_large_in_all_parts(made, image_size, radius):
    make_shapes_experiment("spurious_correlation", 1, image_size=image_size)
    assert [parameters["spurious_radius"] for _, parameters in made] == [radius] * 3


@pytest.mark.parametrize(
    ("level", "image_size", "location"),
    [
        (0, 224, (112, 112)),
        (0.5, 224, (56, 168)),
        (1, 224, (0, 223)),
        (0, 96, (48, 48)),
        (1, 96, (0, 95)),
    ],
)
def test_location_bias_runs_from_the_middle_pixel_to_everywhere(made, level, image_size, location):
    make_shapes_experiment("location_bias", level, image_size=image_size)
    assert [parameters.get("target_location") for _, parameters in made] == [location, None, None]


def test_location_bias_of_0_puts_every_training_target_into_the_middle():
    train = make_shapes_experiment("location_bias", 0, **SMALL).train
    masks = train.masks[train.target == 1]
    assert (masks == masks[0]).all()
    assert np.argwhere(masks[0]).mean(axis=0).tolist() == [28, 28]


def test_target_size_changes_target_and_background_of_all_parts():
    data = make_shapes_experiment("target_size", 40, **SMALL)
    for part in (data.train, data.validation, data.test):
        assert areas(part).min() > scaled(16)
        gray = np.all(part.images == COLORS["gray"], axis=-1)
        assert gray.mean() < 0.1


def test_n_objects_is_the_number_of_unique_background_objects_of_all_parts():
    data = make_shapes_experiment("n_objects", 1, **SMALL | {"n_train": 20})
    for part in (data.train, data.validation, data.test):
        colors = np.unique(part.images.reshape(-1, 3), axis=0).tolist()
        assert {tuple(color) for color in colors} == {
            COLORS[name] for name in ("gray", "navy", "pink", "yellow")
        }


def test_image_size_scales_the_scene():
    sizes = {"n_train": 5, "n_validation": 1, "n_test": 1, "random_state": 0}
    full = make_shapes_experiment("class_balance", 1, image_size=224, **sizes).train
    half = make_shapes_experiment("class_balance", 1, image_size=112, **sizes).train
    centres = [np.argwhere(mask).mean(axis=0) for mask in full.masks]
    small = [np.argwhere(mask).mean(axis=0) for mask in half.masks]
    np.testing.assert_allclose(np.array(centres) / 2, small, atol=1)


@pytest.mark.parametrize(
    ("name", "level", "parameters", "message"),
    [
        (
            "sise_bias",
            1,
            {},
            "No experiment named 'sise_bias'; known: class_balance, location_bias",
        ),
        (
            "class_balance",
            1.1,
            {},
            r"level of 'class_balance' must be a number in \[0, 1\], got 1.1",
        ),
        ("n_objects", 0, {}, "level of 'n_objects' must be an integer of at least 1, got 0"),
        ("n_objects", 1.5, {}, "level of 'n_objects' must be an integer of at least 1, got 1.5"),
        ("training_size", 10, {"n_train": 5}, "got 10 and n_train=5, expected n_train=None"),
        ("class_balance", 0.5, {"image_size": 27}, "image_size must be .* at least 28, got 27"),
    ],
)
def test_errors_say_what_was_given_and_expected(name, level, parameters, message):
    with pytest.raises(ValueError, match=message):
        make_shapes_experiment(name, level, **parameters)


@pytest.mark.parametrize(
    ("name", "n_train"), [("target_size", 10_000), ("n_objects", 25_000), ("size_bias", 100_000)]
)
def test_default_sizes_are_the_papers(made, name, n_train):
    make_shapes_experiment(name, 1)
    assert [n_samples for n_samples, _ in made] == [n_train, 20_000, 100_000]
