"""Cross-validation for multi-label targets, with whole groups."""

from collections.abc import Iterator
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _num_samples, check_consistent_length

from segclf.axes import is_indicator
from segclf.data.iterative_stratification import Indices, deal, shuffled, units_of
from segclf.data.labels import as_label_array, is_labeled, natural


class MultilabelStratifiedGroupKFold(BaseCrossValidator):
    """Folds with an equal share of every label, and no group in two folds.

    Iterative stratification: Sechidis, Tsoumakas and Vlahavas, "On the stratification of
    multi-label data", ECML PKDD 2011. The samples of the rarest label are assigned first, each to
    the fold that lacks most of them. Among groups, those with the most uneven labels go first, as
    in scikit-learn's ``StratifiedGroupKFold``, which takes one label for each sample.

    Parameters
    ----------
    n_splits : int
        Number of folds, at least 2.
    shuffle : bool
        Whether to assign samples in random order; otherwise in their own order, with ties going to
        the first fold.
    random_state : int, RandomState or None
        Decides the random order.

    See Also
    --------
    SemiSupervisedSplit : Takes this as its ``cv`` where some samples have no label.

    Examples
    --------
    >>> import numpy as np
    >>> from segclf import MultilabelStratifiedGroupKFold
    >>> y = np.array([[1, 0], [1, 1], [0, 0], [1, 0], [1, 1], [0, 0]])
    >>> for train, test in MultilabelStratifiedGroupKFold(2).split(y, y):
    ...     print(train, test)
    [3 4 5] [0 1 2]
    [0 1 2] [3 4 5]
    """

    __metadata_request__split: ClassVar[dict[str, Any]] = {"groups": True}

    def __init__(
        self, n_splits: int = 5, *, shuffle: bool = False, random_state: Any = None
    ) -> None:
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Indices, Indices]]:
        """Yield the indices of each training and test fold.

        Parameters
        ----------
        X : array, list, paths or tensor
            The n samples; only their number matters.
        y : array of shape (n, k) or (n,)
            A multi-label indicator, in which -1 is no label; or one label for each sample.
        groups : array of shape (n,), optional
            Samples of one group stay together; by default each sample is a group.

        Yields
        ------
        train, test : array of int
            In ascending order.

        Raises
        ------
        ValueError
            If `y` is missing or has another length, or there are fewer groups than folds.
        """
        if y is None:
            raise ValueError("MultilabelStratifiedGroupKFold needs y to balance it; got None.")
        check_consistent_length(np.empty(_num_samples(X)), y, groups)
        folds = self._folds(label_indicator(y), None if groups is None else np.asarray(groups))
        for fold in range(self.n_splits):
            yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : ignored

        Returns
        -------
        int
            The number.
        """
        return self.n_splits

    def _folds(self, indicator: NDArray[np.bool_], groups: NDArray[Any] | None) -> Indices:
        """Return the fold of each sample."""
        units, counts, sizes = units_of(indicator, groups)
        if not isinstance(self.n_splits, Integral) or not 2 <= self.n_splits <= len(sizes):
            what = "samples" if groups is None else "groups"
            raise ValueError(
                f"n_splits={self.n_splits!r}; expected an int from 2 to the number of {what}, "
                f"{len(sizes)}."
            )
        random = check_random_state(self.random_state) if self.shuffle else None
        order = shuffled(len(sizes), random)
        if groups is not None:
            order = order[np.lexsort((-sizes[order], -counts[order].std(axis=1)))]
        parts = np.empty(len(sizes), dtype=np.intp)
        shares = np.full(self.n_splits, 1 / self.n_splits)
        parts[order] = deal(counts[order], sizes[order], shares, random)
        return parts[units]


def label_indicator(y: Any) -> NDArray[np.bool_]:
    """Return which labels samples have, (n, k), from an indicator or one label for each sample.

    Examples
    --------
    >>> label_indicator(["ill", "well", None]).astype(int).tolist()
    [[1, 0], [0, 1], [0, 0]]
    """
    labels = as_label_array(y)
    labeled = is_labeled(labels)
    if is_indicator(labels):
        return labeled & (labels == 1)
    values = natural(labels[labeled])
    indicator = np.zeros((len(labels), len(np.unique(values))), dtype=bool)
    indicator[labeled] = values[:, None] == np.unique(values)
    return indicator
