import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.special import rel_entr
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from segclf.metrics import framing_divergence, kl_lower_bound, log_density_ratio


def test_proposition_1_by_hand():
    """Pixels that are iid Bernoulli: .2 outside and .8 inside, Pr(S = 1) = .1, 4 pixels."""
    sides = framing_divergence(
        [0.8, 0.2], [0.2, 0.8], pixel_prevalence=0.1, image_prevalence=1 - 0.9**4
    )
    assert 1 / sides.scale == pytest.approx(0.29078, abs=5e-6)
    assert sides.scale == pytest.approx(3.439)
    assert sides.pixel == pytest.approx(0.8317766, abs=5e-8)
    assert sides.image == pytest.approx(0.0713706, abs=5e-8)
    assert sides.bound == pytest.approx(0.2454434, abs=5e-8)


def test_targets_that_fill_their_images_leave_nothing_to_gain():
    sides = framing_divergence([0.8, 0.2], [0.2, 0.8], pixel_prevalence=0.3, image_prevalence=0.3)
    assert sides.pixel == sides.image == sides.bound


@pytest.mark.parametrize("seed", range(20))
def test_proposition_1_holds(seed):
    random = np.random.RandomState(seed)
    background, target = random.dirichlet(np.ones(5), size=2)
    low, high = np.sort(random.uniform(0.01, 1, 2))
    sides = framing_divergence(background, target, pixel_prevalence=low, image_prevalence=high)
    assert sides.pixel >= sides.bound >= sides.image >= 0


@pytest.mark.parametrize(("pixel", "image"), [(0, 0.5), (0.6, 0.5), (0.5, 1.1)])
def test_impossible_prevalences(pixel, image):
    with pytest.raises(ValueError, match=f"got {pixel} and {image}"):
        framing_divergence([1, 0], [0, 1], pixel_prevalence=pixel, image_prevalence=image)


def test_the_bound_is_reached_by_the_log_ratio_alone():
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.3, 0.6])
    counts = np.rint(100 * np.concatenate([p, q])).astype(int)  # samples exactly in proportion
    is_first = np.repeat([True] * 3 + [False] * 3, counts)
    values = np.repeat([0, 1, 2, 0, 1, 2], counts)
    exact = np.log(p / q)
    assert kl_lower_bound(is_first, exact[values]) == pytest.approx(rel_entr(p, q).sum())
    for wrong in (2 * exact, exact / 2, exact[::-1], exact + np.array([0, 0.5, 0])):
        assert kl_lower_bound(is_first, wrong[values]) < rel_entr(p, q).sum() - 0.01


@pytest.mark.parametrize("share", [0.001, 0.02, 0.3, 1.0])
def test_the_bound_of_a_mixture_is_reached_on_discrete_values(share):
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.3, 0.6])
    counts = np.rint(100 * np.concatenate([p, q])).astype(int)
    is_first = np.repeat([True] * 3 + [False] * 3, counts)
    values = np.repeat([0, 1, 2, 0, 1, 2], counts)
    exact = np.log(p / q)
    truth = rel_entr(p, share * q + (1 - share) * p).sum()
    of_framing = framing_divergence(p, q, pixel_prevalence=share, image_prevalence=1)
    assert of_framing.image == pytest.approx(truth, rel=1e-9)
    assert kl_lower_bound(is_first, exact[values], share=share) == pytest.approx(truth, rel=1e-9)
    for wrong in (2 * exact, exact / 2, exact[::-1], exact + np.array([0, 0.5, 0])):
        assert kl_lower_bound(is_first, wrong[values], share=share) < 0.99 * truth


@pytest.mark.parametrize("share", [0.002, 0.05, 0.5])
def test_the_bound_of_a_mixture_of_gaussians_is_its_integral(share):
    grid = np.linspace(-12, 13, 100_001)
    p, q = norm.pdf(grid), norm.pdf(grid, loc=1)
    truth = trapezoid(rel_entr(p, share * q + (1 - share) * p), grid)
    of_ratio = -np.log(share * np.exp(grid - 0.5) + 1 - share)
    assert trapezoid(p * of_ratio, grid) == pytest.approx(truth, rel=1e-6)
    quantiles = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    is_first, x = np.repeat([True, False], 20_000), np.concatenate([quantiles, quantiles + 1])
    assert kl_lower_bound(is_first, 0.5 - x, share=share) == pytest.approx(truth, rel=0.01)


def test_an_error_of_the_ratio_hardly_moves_the_bound_of_a_small_share():
    """It is of the second order there, where the plain mean of the ratio errs in the first."""
    p, q, share = np.array([0.8, 0.2]), np.array([0.2, 0.8]), 0.01
    is_first = np.repeat([True, True, False, False], [800, 200, 200, 800])
    values = np.repeat([0, 1, 0, 1], [800, 200, 200, 800])
    truth = rel_entr(p, share * q + (1 - share) * p).sum()
    wrong = np.log(p / q)[values] - 0.1
    plain = np.mean(-np.log(share * np.exp(-wrong) + 1 - share)[is_first])
    assert abs(plain / truth - 1) > 5
    assert kl_lower_bound(is_first, wrong, share=share) == pytest.approx(truth, rel=0.02)


@pytest.mark.parametrize("share", [0, -0.1, 1.1])
def test_impossible_shares(share):
    with pytest.raises(ValueError, match=f"share must be above 0 and at most 1, got {share}"):
        kl_lower_bound([True, False], [0.0, 0.0], share=share)


def test_the_bound_is_never_negative_nor_beyond_what_samples_can_show():
    is_first = np.repeat([True, False], [10, 20])
    assert kl_lower_bound(is_first, np.where(is_first, -5.0, 5.0)) == 0
    assert kl_lower_bound(is_first, np.where(is_first, 50.0, -50.0)) == pytest.approx(np.log(20))


def test_estimates_approach_closed_forms():
    random = np.random.RandomState(0)
    is_first = np.repeat([True, False], 1500)
    shifted = random.normal(size=(3000, 1)) + np.where(is_first, 0, 1)[:, None]
    ratio = log_density_ratio(shifted, is_first, random_state=0)
    assert kl_lower_bound(is_first, ratio) == pytest.approx(0.5, abs=0.1)
    assert np.corrcoef(ratio, 0.5 - shifted[:, 0])[0, 1] > 0.95
    white = (random.random_sample(3000) < np.where(is_first, 0.2, 0.8))[:, None]
    ratio = log_density_ratio(white, is_first, random_state=0)
    assert kl_lower_bound(is_first, ratio) == pytest.approx(0.8317766, abs=0.1)


def test_nothing_learned_from_a_group_says_nothing_of_it():
    """Each image has its own color: that says which sample it is of only if it was seen."""
    images = np.repeat(np.arange(40), 20)
    is_first = images % 2 == 0
    colors = np.random.RandomState(0).permutation(40)[images][:, None]
    leaked = log_density_ratio(colors, is_first, random_state=0)
    kept_apart = log_density_ratio(colors, is_first, groups=images, random_state=0)
    assert kl_lower_bound(is_first, leaked) > 1
    assert kl_lower_bound(is_first, kept_apart) < 0.1


def test_unequal_samples_a_given_classifier_and_the_cut():
    is_first = np.repeat([True, False], [300, 100])
    apart = np.where(is_first, 0.0, 1.0)[:, None]
    ratio = log_density_ratio(apart, is_first, classifier=LogisticRegression(C=1e6), random_state=0)
    np.testing.assert_allclose(ratio, np.where(is_first, 1, -1) * np.log(400))
    same = log_density_ratio(np.zeros((400, 1)), is_first, random_state=0)
    np.testing.assert_allclose(same, 0, atol=1e-3)


def test_one_group_is_not_enough():
    with pytest.raises(ValueError, match="one has 1"):
        log_density_ratio(np.zeros((4, 1)), [1, 1, 0, 0], groups=[0, 0, 1, 2])
