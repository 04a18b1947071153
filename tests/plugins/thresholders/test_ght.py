from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from segclf_plugins.thresholders import GHTThresholder, OtsuThresholder

OTSU = {"nu": 1e60, "tau": 1e-15}
PAPER = {"nu": 2**29.5, "tau": 2**3.125, "kappa": 2**22.25, "omega": 2**-3.25, "relative": False}
MINIMUM_ERROR = {  # METHODS 5.4
    "brick": 114,
    "camera": 65,
    "cell": 108,
    "clock": 183,
    "coins": 100,
    "moon": 84,
    "page": 206,
    "text": 101,
}
HDIBCO = next(
    (
        folder / "shared/data/hdibco2016"
        for folder in Path(__file__).resolve().parents
        if (folder / "shared/data/hdibco2016").is_dir()
    ),
    None,
)


def formulation(image, nu=0.0, tau=0.0, kappa=0.0, omega=0.5):
    """Barron's objective, threshold by threshold, straight from the pixels."""
    values = np.unique(image).astype(float)
    thresholds = np.arange(values[0], values[-1])
    scores = []
    for threshold in thresholds:
        score = 0.0
        for side, share in ((image <= threshold, omega), (image > threshold, 1 - omega)):
            count = side.sum()
            weight = nu * count / image.size
            distance = image[side].var() * count
            variance = max(1e-30, (weight * tau**2 + distance) / (weight + count))
            score -= distance / variance + count * np.log(variance)
            score += 2 * (count + kappa * share) * np.log(count)
        scores.append(score)
    return thresholds[np.isclose(scores, max(scores), rtol=1e-12)].mean()


def mixture(dark, bright, share):
    """An image with the histogram of two normal distributions (mean, deviation)."""
    level = np.arange(256)
    density = sum(
        weight * np.exp(-(((level - mean) / deviation) ** 2) / 2) / deviation
        for weight, (mean, deviation) in ((share, dark), (1 - share, bright))
    )
    counts = np.rint(10**6 * density / density.sum()).astype(int)
    return np.repeat(level, counts).astype(np.uint8)[None]


@pytest.mark.parametrize("name", MINIMUM_ERROR)
def test_pictures(name):
    try:
        picture = getattr(skimage.data, name)()
    except Exception as error:
        pytest.skip(f"scikit-image has not bundled it: {error}")
    assert GHTThresholder(nu=0).thresholds([picture]) == MINIMUM_ERROR[name]
    otsu = OtsuThresholder().thresholds([picture])
    assert GHTThresholder(**OTSU).thresholds([picture]) == otsu


@pytest.mark.parametrize(
    "parameters",
    [{}, OTSU, {"nu": 300.0, "tau": 9.0}, {"nu": 2e3, "tau": 4.0, "kappa": 700.0, "omega": 0.2}],
)
def test_equals_the_formulation(images, parameters):
    parameters = {"nu": 0.0, "tau": 0.0, **parameters}
    few = images[:10, ::2, ::2]
    expected = [formulation(image, **parameters) for image in few]
    thresholder = GHTThresholder(**parameters, relative=False)
    np.testing.assert_allclose(thresholder.thresholds(few), expected)


def test_otsu_is_a_limit(images):
    masks = GHTThresholder(**OTSU).transform(images)
    np.testing.assert_array_equal(masks, OtsuThresholder().transform(images))


@pytest.mark.parametrize("omega", [0.1, 0.5, 0.8])
def test_a_percentile_is_a_limit(omega):
    image = np.random.default_rng(0).permutation(10_000).astype(np.uint16).reshape(100, 100)
    threshold = GHTThresholder(kappa=1e30, omega=omega).thresholds([image])
    assert threshold == pytest.approx(10_000 * omega - 1)  # so many values lie at or below it
    share = GHTThresholder(kappa=1e30, omega=omega)(image).mean()
    assert share == pytest.approx(1 - omega)


@pytest.mark.parametrize(
    ("dark", "bright", "share", "otsu", "minimum_error"),
    [
        ((80, 10), (160, 10), 0.50, 119, 119.5),
        ((80, 10), (160, 10), 0.95, 119, 123),  # Bayes' boundary is 123.7
        ((60, 5), (160, 30), 0.50, 112, 77),
    ],
)
def test_mixtures_of_normal_distributions(dark, bright, share, otsu, minimum_error):
    image = mixture(dark, bright, share)
    assert GHTThresholder(**OTSU).thresholds([image]) == otsu
    assert GHTThresholder(nu=0).thresholds([image]) == minimum_error


def test_relative_priors_mean_the_same_at_every_size(images):
    image = images[3]
    large = np.tile(image, (3, 5))
    relative = GHTThresholder(nu=0.5, tau=20, kappa=2, omega=0.3)
    thresholds = relative.thresholds([image, large])
    assert thresholds[0] == thresholds[1]
    for one, threshold in zip((image, large), thresholds, strict=True):
        n = one.size
        raw = GHTThresholder(nu=0.5 * n, tau=20, kappa=2 * n, omega=0.3, relative=False)
        assert raw.thresholds([one]) == threshold


def test_tau_is_a_gray_level_of_the_image_stretched_to_8_bit(images):
    image = images[1].copy()
    image[0, :2] = 0, 255
    thresholder = GHTThresholder(nu=10, tau=20)
    mask = thresholder(image)
    np.testing.assert_array_equal(thresholder(image * np.uint16(257)), mask)
    np.testing.assert_array_equal(thresholder(image / 255 - 3), mask)
    assert (GHTThresholder(nu=10, tau=2)(image) != mask).any()


def test_the_company_of_an_image_does_not_matter(images):
    few = [images[0], images[1] * np.uint16(200), images[2] / 9, images[3][:7, :9]]
    together = GHTThresholder().thresholds(few)
    alone = [GHTThresholder().thresholds([image])[0] for image in few]
    np.testing.assert_array_equal(together, alone)


def test_two_values_are_split_in_their_middle():
    image = np.array([[50, 200, 50]], dtype=np.uint8)
    for parameters in ({}, OTSU, PAPER, {"nu": 0}):
        assert GHTThresholder(**parameters).thresholds([image]) == 124.5


@pytest.fixture(scope="module")
def pages():
    """The pages of H-DIBCO 2016, made gray as in the published table, and their ink."""
    if HDIBCO is None:
        pytest.skip("H-DIBCO 2016 is not here")
    paths = sorted((HDIBCO / "images").glob("*.png"))
    inks = [cv2.imread(str(HDIBCO / "gt" / path.name), cv2.IMREAD_GRAYSCALE) == 0 for path in paths]
    return [cv2.imread(str(path)).max(axis=2) for path in paths], inks


@pytest.mark.parametrize(
    ("thresholder", "f1", "psnr"),
    [
        (OtsuThresholder(), (87.19, 6.28), (17.97, 4.01)),
        (GHTThresholder(nu=0), (60.40, 20.65), (11.21, 3.50)),
        (GHTThresholder(kappa=1e60, omega=2**-3.75), (76.77, 14.50), (15.44, 3.40)),
        (GHTThresholder(**PAPER), (88.77, 4.99), (18.55, 3.46)),
    ],
    ids=["otsu", "minimum_error", "percentile", "ght"],
)
def test_hdibco(pages, thresholder, f1, psnr):
    images, inks = pages
    masks = thresholder.set_params(polarity="dark").transform(images)
    pairs = list(zip(masks, inks, strict=True))
    scores = [200 * (mask & ink).sum() / (mask.sum() + ink.sum()) for mask, ink in pairs]
    ratios = [-10 * np.log10((mask != ink).mean()) for mask, ink in pairs]
    for values, expected in ((scores, f1), (ratios, psnr)):
        assert (round(np.mean(values), 2), round(np.std(values), 2)) == expected
