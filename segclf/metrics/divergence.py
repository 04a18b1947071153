"""Divergences between pixels inside and outside of masks, and between images.

Proposition 1 of S4C (Hooper et al., "A case for reframing automated medical image classification
as segmentation", NeurIPS 2023, section 2.2, proof in appendix A3.1): pixels grouped by masks
diverge more than pixels grouped by image labels, by a factor of at least
``Pr(y = 1) / Pr(S = 1)``.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit, logsumexp, rel_entr
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.utils import check_random_state


class FramingDivergence(NamedTuple):
    """Both sides of Proposition 1, in nats.

    Attributes
    ----------
    pixel : float
        ``KL(X | S = 0 || X | S = 1)``: pixels outside the masks against those inside.
    image : float
        ``KL(X | y = 0 || X | y = 1)``: pixels of negative images against those of positive ones.
    scale : float
        ``Pr(y = 1) / Pr(S = 1)``, at least 1: the inverse of the share of target pixels in positive
        images.
    """

    pixel: float
    image: float
    scale: float

    @property
    def bound(self) -> float:
        """The right side, ``scale * image``; `pixel` is at least as large."""
        return self.scale * self.image


def framing_divergence(
    background: ArrayLike, target: ArrayLike, *, pixel_prevalence: float, image_prevalence: float
) -> FramingDivergence:
    """Compute both sides of Proposition 1 from known distributions.

    Parameters
    ----------
    background, target : array-like of shape (v,)
        Probabilities of the v values of a pixel outside and inside the target.
    pixel_prevalence : float
        ``Pr(S = 1)``, the share of all pixels that are target.
    image_prevalence : float
        ``Pr(y = 1)``, the share of all images with a target; at least `pixel_prevalence`.

    Returns
    -------
    FramingDivergence
        Its `pixel` is at least its `bound`; both are equal if the target fills its images.

    Raises
    ------
    ValueError
        If the prevalences are not in ``0 < pixel_prevalence <= image_prevalence <= 1``.

    Examples
    --------
    Images of 4 pixels that are white with probability .8 on targets and .2 elsewhere:

    >>> from segclf.metrics import framing_divergence
    >>> sides = framing_divergence(
    ...     [0.8, 0.2], [0.2, 0.8], pixel_prevalence=0.1, image_prevalence=1 - 0.9**4
    ... )
    >>> round(sides.pixel, 4), round(sides.image, 4), round(sides.bound, 4)
    (0.8318, 0.0714, 0.2454)
    """
    if not 0 < pixel_prevalence <= image_prevalence <= 1:
        raise ValueError(
            "Expected 0 < pixel_prevalence <= image_prevalence <= 1, got "
            f"{pixel_prevalence} and {image_prevalence}."
        )
    outside, inside = np.asarray(background, np.float64), np.asarray(target, np.float64)
    alpha = pixel_prevalence / image_prevalence
    positive = alpha * inside + (1 - alpha) * outside  # equation A5
    return FramingDivergence(
        pixel=float(rel_entr(outside, inside).sum()),
        image=float(rel_entr(outside, positive).sum()),
        scale=1 / alpha,
    )


def log_density_ratio(
    features: NDArray[Any],
    is_first: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    classifier: Any = None,
    n_splits: int = 5,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.float64]:
    """Estimate the log ratio of two densities at each of their samples.

    A classifier that distinguishes the two samples gives the ratio (Sugiyama, Suzuki and Kanamori,
    "Density ratio estimation in machine learning", 2012, chapter 4). Its predictions are out of
    fold.

    Parameters
    ----------
    features : array of shape (n, d)
        Both samples.
    is_first : bool array of shape (n,)
        Whether each row belongs to the first sample.
    groups : array of shape (n,), optional
        Group of each row, such as its image. Groups are not split between folds.
    classifier : classifier, optional
        Needs ``predict_proba``; by default small gradient-boosted trees.
    n_splits : int, default=5
        Number of folds; fewer where there are fewer groups.
    random_state : int, RandomState or None, default=None
        Seed of the folds and of the default classifier.

    Returns
    -------
    array of shape (n,)
        ``log p_first(x) - log p_second(x)``, clipped to ``+-log(n)``, the most that n samples can
        show.

    Raises
    ------
    ValueError
        If a sample has fewer than two groups.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.metrics import log_density_ratio
    >>> features = np.random.default_rng(0).normal(size=(200, 1))
    >>> features[:100] += 2
    >>> ratio = log_density_ratio(features, np.arange(200) < 100, random_state=0)
    >>> bool(ratio[:100].mean() > 0 > ratio[100:].mean())
    True
    """
    is_first = np.asarray(is_first, dtype=bool)
    n = len(is_first)
    groups = np.arange(n) if groups is None else np.asarray(groups)
    n_groups = min(len(np.unique(groups[side])) for side in (is_first, ~is_first))
    if n_groups < 2:
        raise ValueError(f"Each sample needs at least 2 groups, one has {n_groups}.")
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    probabilities = cross_val_predict(
        _small_trees(seed) if classifier is None else clone(classifier),
        features,
        is_first,
        groups=groups,
        cv=StratifiedGroupKFold(min(n_splits, n_groups), shuffle=True, random_state=seed),
        method="predict_proba",
    )[:, 1]
    prior = logit(is_first.mean())
    return np.clip(logit(probabilities) - prior, -np.log(n), np.log(n))


def kl_lower_bound(is_first: ArrayLike, log_ratio: ArrayLike, *, share: float = 1.0) -> float:
    """Bound ``KL(first || share * second + (1 - share) * first)`` from below.

    With a `share` of 1 this is ``KL(first || second)``. By the Donsker-Varadhan formula it is at
    least ``E_first[T] - log E_mixture[exp T]`` for any function T, with equality for the log ratio
    of densities (Belghazi et al., "Mutual information neural estimation", ICML 2018, Theorem 1).
    So a poor T, learned on other samples, errs on the safe side.

    The log ratio r of first and second gives the log ratio of first and mixture,
    ``T = -log(share * exp(-r) + 1 - share)``. Let the first be pixels outside masks, the second
    pixels inside, and the share that of inside pixels in positive images. Then the mixture is the
    pixels of positive images (S4C, equation A5), and the result bounds
    ``KL(X | y = 0 || X | y = 1)``. If r were exact, the mean of T would be the divergence itself.
    If the share is small, however, the slightest error of r outweighs it.

    Parameters
    ----------
    is_first : bool array of shape (n,)
        Whether each row belongs to the first sample.
    log_ratio : array of shape (n,)
        Log of the density of the first over that of the second, as from
        :func:`log_density_ratio`.
    share : float, default=1.0
        Share of the second in the mixture, in (0, 1].

    Returns
    -------
    float
        In nats. At least 0, and at most the log of the second sample's size, since no estimate
        beyond it can be trusted (McAllester and Stratos, AISTATS 2020).

    Raises
    ------
    ValueError
        If `share` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf.metrics import kl_lower_bound
    >>> is_first = np.repeat([True, False], 5)
    >>> white = np.array([1, 0, 0, 0, 0, 1, 1, 1, 1, 0])  # with probability .2, then .8
    >>> log_ratio = np.where(white, -1, 1) * np.log(4)
    >>> round(kl_lower_bound(is_first, log_ratio), 4)
    0.8318
    >>> round(kl_lower_bound(is_first, log_ratio, share=0.29078), 4)
    0.0714
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, got {share}.")
    is_first, ratio = np.asarray(is_first, dtype=bool), np.asarray(log_ratio)
    if share < 1:
        ratio = -np.logaddexp(np.log(share) - ratio, np.log1p(-share))
    first, second = ratio[is_first], ratio[~is_first]
    size = np.log(len(second))
    normalizer = logsumexp(second) - size
    if share < 1:
        normalizer = np.log(share * np.exp(normalizer) + (1 - share) * np.exp(first).mean())
    return float(np.clip(first.mean() - normalizer, 0, size))


def _small_trees(seed: int) -> Any:
    # Imported here, since scikit-learn's ensembles take as long to import as all of segclf.
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_leaf_nodes=8, early_stopping=True, n_iter_no_change=5, random_state=seed
    )
