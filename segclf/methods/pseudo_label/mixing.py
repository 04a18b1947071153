"""How experts' and pseudo masks share batches: by a probability, or by a weight of each image."""

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
    """How often experts' images come.

    Parameters
    ----------
    weight : float
        Of an expert's image, where one with a pseudo mask weighs 1.
    probability : float or None
        Of an expert's image at each place, in place of the weight.
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
        """Return which images batches hold; None leaves it to the segmenter.

        Parameters
        ----------
        expert, positive, used : array of bool, shape (n,)
            Whose mask is an expert's (an empty one by its label, too), whose shows a finding, and
            who has a mask at all.
        fraction : float
            Share of images that show a finding, at least: of all, or with a `probability` of
            experts' images and of the others each.
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
        # What has a label alone comes as often as what has a pseudo mask, where it teaches at all.
        weights[~used] = weights[pseudo].mean() if pseudo.any() else 0
        return KindsSampler(np.where(used, 2 * expert + positive, 4), weights)


def _balanced(
    weights: NDArray[Any], positive: NDArray[np.bool_], wanted: float
) -> NDArray[np.float64]:
    """Make weights that sum to 1, of which positive ones have the share that is wanted."""
    weights = weights / max(weights.sum(), 1e-9)
    share = weights[positive].sum()
    if not 0 < share < wanted:
        return weights
    return np.where(positive, weights * wanted / share, weights * (1 - wanted) / (1 - share))


def usual_weight(labeler: Any) -> float:
    """Return what "auto" is: CheXseg's weight for what a classifier sees, else 1."""
    return CHEXSEG_WEIGHT if "classifier" in labeler.get_params(deep=False) else 1.0


def balance_of(estimator: Any, supervision: Supervision) -> float:
    """Return the share of images with findings that an estimator asks for, 0 where it does not."""
    wanted = getattr(estimator, "positive_fraction", 0.0)
    if is_auto(wanted):
        wanted = RULES["positive_fraction"]({}, Facts(supervision))
    return float(wanted)
