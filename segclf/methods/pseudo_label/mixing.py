"""How experts' masks and pseudo masks share batches: by a probability, or by image weights."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.base import Supervision
from segclf.base.automatic import RULES
from segclf.base.facts import Facts
from segclf.base.network_holder import is_auto
from segclf.data import KindsSampler, MixingSampler, Sampler

# CheXseg's best probability, .9, was found with 200 experts' images beside 100 others, which makes
# an expert's (.9 / 200) / (.1 / 100) times as frequent (Gadgil et al., MIDL 2021, section 3.3).
CHEXSEG_WEIGHT = 4.5


@dataclass(frozen=True)
class Mixing:
    """How often images with an expert's mask are sampled.

    Parameters
    ----------
    weight : float
        Weight of an image with an expert's mask, relative to one with a pseudo mask.
    probability : float or None
        Probability of an expert's mask for each sampled image, instead of the weight.
    """

    weight: float = 1.0
    probability: float | None = None

    def sampler(
        self,
        expert: NDArray[np.bool_],
        positive: NDArray[np.bool_],
        used: NDArray[np.bool_],
        fraction: float,
    ) -> Sampler | None:
        """Return a sampler of images for batches; None leaves it to the segmenter.

        Parameters
        ----------
        expert, positive, used : array of bool, shape (n,)
            Whether an image has an expert's mask (or an empty one by its label), shows a finding,
            and has any mask.
        fraction : float
            Smallest share of images that show a finding: of all images, or, with a `probability`,
            of experts' images and of the others separately.
        """
        if self.probability is None and self.weight == 1:
            return None
        pseudo, weights = used & ~expert, np.zeros(len(expert))
        if self.probability is None:
            shares = np.where(expert, self.weight, 1.0)[used]
            weights[used] = _balanced(shares, positive[used], fraction)
        else:
            for kind, share in ((expert, self.probability), (pseudo, 1 - self.probability)):
                weights[kind] = share * _balanced(np.ones(kind.sum()), positive[kind], fraction)
            as_they_come = all(len(np.unique(weights[kind])) < 2 for kind in (expert, pseudo))
            if as_they_come or not weights.any():
                return MixingSampler(expert, self.probability)
        # An image with a label alone is sampled as often as one with a pseudo mask.
        weights[~used] = weights[pseudo].mean() if pseudo.any() else 0
        return KindsSampler(np.where(used, 2 * expert + positive, 4), weights)


def _balanced(
    weights: NDArray[Any], positive: NDArray[np.bool_], wanted: float
) -> NDArray[np.float64]:
    """Return weights that sum to 1, with at least the wanted share on positive images."""
    weights = weights / max(weights.sum(), 1e-9)
    share = weights[positive].sum()
    if not 0 < share < wanted:
        return weights
    return np.where(positive, weights * wanted / share, weights * (1 - wanted) / (1 - share))


def usual_weight(labeler: Any) -> float:
    """Return the weight for "auto": CheXseg's for labelers with a classifier, else 1."""
    return CHEXSEG_WEIGHT if "classifier" in labeler.get_params(deep=False) else 1.0


def balance_of(estimator: Any, supervision: Supervision) -> float:
    """Return the share of images with findings that an estimator asks for, or 0."""
    wanted = getattr(estimator, "positive_fraction", 0.0)
    if is_auto(wanted):
        wanted = RULES["positive_fraction"]({}, Facts(supervision))
    return float(wanted)
