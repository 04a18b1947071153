"""Choose the samples of each batch of an epoch: pure functions of (seed, epoch)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segclf.axes import is_indicator
from segclf.data.labels import are_negative

Indices = NDArray[np.intp]


class Sampler(ABC):
    """Chooses the samples of each batch."""

    @abstractmethod
    def batches(self, batch_size: int, seed: int, epoch: int) -> list[Indices]:
        """Return the indices of each batch of an epoch; every epoch has the same number of batches.

        Parameters
        ----------
        batch_size : int
            Maximum number of samples in a batch.
        seed, epoch : int
            Determine the result.
        """

    @abstractmethod
    def subset(self, indices: Indices) -> "Sampler":
        """Return the sampler of these samples."""


@dataclass(frozen=True)
class ShuffledSampler(Sampler):
    """Every sample once an epoch.

    Batches have nearly equal sizes, so that none holds a single sample if that can be avoided.

    Parameters
    ----------
    n_samples : int
        Number of samples.
    shuffle : bool
        Whether each epoch has its own random order; otherwise samples keep their order.

    Examples
    --------
    >>> [batch.tolist() for batch in ShuffledSampler(5, shuffle=False).batches(4, 0, 0)]
    [[0, 1, 2], [3, 4]]
    """

    n_samples: int
    shuffle: bool = True

    def batches(self, batch_size: int, seed: int, epoch: int) -> list[Indices]:
        """Return the indices of each batch of an epoch."""
        order = np.arange(self.n_samples)
        if self.shuffle:
            order = np.random.default_rng([seed, epoch]).permutation(self.n_samples)
        return np.array_split(order, _n_batches(self.n_samples, batch_size))

    def subset(self, indices: Indices) -> "ShuffledSampler":
        """Return the sampler of these samples."""
        return ShuffledSampler(len(indices), self.shuffle)


@dataclass(frozen=True, eq=False)
class MixingSampler(Sampler):
    """Fill each place in a batch with an expert's sample by a given probability.

    CheXseg's mixing (Gadgil et al., MIDL 2021, section 3.3), where p is the probability that a
    sample chosen for a batch is expert-annotated. It holds exactly in expectation for every p,
    including 0 and 1 (in the public code, a comparison of floats turns .3 into .2). Within each
    kind, all samples occur equally often, up to one. An epoch has as many places as there are
    samples. If one kind has no samples, the other fills all places.

    Parameters
    ----------
    expert : array of shape (n,), bool
        Which samples an expert annotated.
    probability : float
        In [0, 1].

    Examples
    --------
    >>> sampler = MixingSampler(np.arange(10) < 2, probability=1.0)
    >>> sorted(np.concatenate(sampler.batches(5, seed=0, epoch=0)).tolist())
    [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    """

    expert: NDArray[np.bool_]
    probability: float

    def batches(self, batch_size: int, seed: int, epoch: int) -> list[Indices]:
        """Return the indices of each batch of an epoch."""
        n_samples = len(self.expert)
        order = self.places(n_samples, np.random.default_rng([seed, epoch]))
        return np.array_split(order, _n_batches(n_samples, batch_size))

    def places(
        self, n_places: int, generator: Any, among: NDArray[np.bool_] | None = None
    ) -> Indices:
        """Return a sample for each of a number of places.

        Parameters
        ----------
        n_places : int
            Number of places.
        generator : numpy.random.Generator
            Source of all random numbers.
        among : array of shape (n,), bool, optional
            The samples to choose from; all by default.
        """
        among = np.ones(len(self.expert), dtype=bool) if among is None else among
        experts, others = np.flatnonzero(self.expert & among), np.flatnonzero(~self.expert & among)
        is_expert = generator.random(n_places) < self.probability
        if not len(experts) or not len(others):
            is_expert[:] = len(experts) > 0
        order = np.empty(n_places, dtype=np.intp)
        for places, kind in ((is_expert, experts), (~is_expert, others)):
            order[places] = _cycle(kind, int(places.sum()), generator)
        return order

    def subset(self, indices: Indices) -> "MixingSampler":
        """Return the sampler of these samples."""
        return MixingSampler(self.expert[indices], self.probability)


@dataclass(frozen=True, eq=False)
class KindsSampler(Sampler):
    """Fill each place in a batch with one of several kinds, in proportion to its weight.

    Within a kind, all samples occur equally often, up to one. An epoch has as many places as there
    are samples.

    Parameters
    ----------
    kinds : array of int, shape (n,)
        Kind of each sample.
    weights : array of shape (n,)
        Weight of each sample, the same within a kind.

    Examples
    --------
    >>> sampler = KindsSampler(np.array([0, 0, 1, 2]), np.array([1.0, 1, 0, 2]))
    >>> [len(batch) for batch in sampler.batches(2, seed=0, epoch=0)]
    [2, 2]
    """

    kinds: NDArray[np.intp]
    weights: NDArray[np.float64]

    def batches(self, batch_size: int, seed: int, epoch: int) -> list[Indices]:
        """Return the indices of each batch of an epoch."""
        generator, n_samples = np.random.default_rng([seed, epoch]), len(self.kinds)
        names, codes = np.unique(self.kinds, return_inverse=True)
        shares = np.bincount(codes, weights=self.weights)
        places = generator.choice(len(names), size=n_samples, p=shares / shares.sum())
        order = np.empty(n_samples, dtype=np.intp)
        for code in range(len(names)):
            here = places == code
            order[here] = _cycle(np.flatnonzero(codes == code), n_samples, generator)[: here.sum()]
        return np.array_split(order, _n_batches(n_samples, batch_size))

    def subset(self, indices: Indices) -> "KindsSampler":
        """Return the sampler of these samples."""
        return KindsSampler(self.kinds[indices], self.weights[indices])


@dataclass(frozen=True, eq=False)
class BalancedSampler(Sampler):
    """Balance the classes, in each batch as far as its size allows.

    Classes alternate, in a new order in each round, so that a class of three images among a
    thousand has its share of every batch. Within a class, all samples occur equally often, up to
    one. Samples of no class occur as often as without balancing. An epoch has as many places as
    there are samples. Class-aware sampling: Shen, Lin and Huang, "Relay backpropagation for
    effective learning of deep convolutional neural networks", ECCV 2016, section 3.3.

    Parameters
    ----------
    members : array of shape (n, k), bool
        Classes of each sample; there may be several. Classes with the same samples count as one.

    Examples
    --------
    >>> sampler = BalancedSampler.of_labels(np.array([0, 0, 0, 0, 0, 0, 1, 2, 2]))
    >>> np.sort(np.concatenate(sampler.batches(3, seed=0, epoch=0))).tolist()
    [2, 4, 5, 6, 6, 6, 7, 8, 8]
    """

    members: NDArray[np.bool_]

    @classmethod
    def of_labels(cls, labels: NDArray[np.int64]) -> "BalancedSampler":
        """Return the sampler for labels.

        Parameters
        ----------
        labels : array of shape (n,) or (n, k)
            Classes from 0, or an indicator; -1 if unlabeled. In an indicator, images without any
            class, all 0, form their own class.
        """
        if not is_indicator(labels):
            return cls(labels[:, None] == np.unique(labels[labels >= 0]))
        return cls(np.column_stack([labels == 1, are_negative(labels)]))

    def batches(self, batch_size: int, seed: int, epoch: int) -> list[Indices]:
        """Return the indices of each batch of an epoch."""
        generator = np.random.default_rng([seed, epoch])
        # Sorted by their samples, so that the order of the classes does not matter.
        columns = np.unique(self.members, axis=1).T
        classes = [np.flatnonzero(column) for column in columns if column.any()]
        others = np.flatnonzero(~self.members.any(axis=1))
        n_samples = len(self.members)
        places = generator.permutation(n_samples)
        of_classes = np.sort(places[len(others) :])
        turns = _cycle(np.arange(len(classes)), len(of_classes), generator)
        order = np.empty(n_samples, dtype=np.intp)
        order[places[: len(others)]] = others
        for position, each in enumerate(classes):
            own = of_classes[turns == position]
            order[own] = _cycle(each, len(own), generator)
        return np.array_split(order, _n_batches(n_samples, batch_size))

    def subset(self, indices: Indices) -> "BalancedSampler":
        """Return the sampler of these samples."""
        return BalancedSampler(self.members[indices])


@dataclass(frozen=True, eq=False)
class TwoStreamSampler(Sampler):
    """Fill each batch with a number of labeled samples, then of unlabeled ones.

    An epoch is one pass over the longer stream, in batches; the shorter one starts over. If one
    kind has no samples, batches hold only the other kind's share (the public code of cross teaching
    loops forever in this case).

    Parameters
    ----------
    labeled : array of shape (n,), bool
        Which samples are labeled.
    n_labeled, n_unlabeled : int
        Number of samples of each kind in a batch.
    mixing : MixingSampler, optional
        Chooses the labeled samples; by default all equally often.

    Examples
    --------
    >>> sampler = TwoStreamSampler(np.arange(6) < 2, n_labeled=1, n_unlabeled=2)
    >>> [len(batch) for batch in sampler.batches(3, seed=0, epoch=0)]
    [3, 3]
    """

    labeled: NDArray[np.bool_]
    n_labeled: int
    n_unlabeled: int
    mixing: MixingSampler | None = None

    def batches(self, batch_size: int, seed: int, epoch: int) -> list[Indices]:
        """Return the indices of each batch of an epoch; `batch_size` is the sum of the two."""
        generator = np.random.default_rng([seed, epoch])
        streams = [
            (np.flatnonzero(kind), share)
            for kind, share in ((self.labeled, self.n_labeled), (~self.labeled, self.n_unlabeled))
            if kind.any() and share
        ]
        length = max(_n_batches(len(kind), share) for kind, share in streams)
        columns = [
            self._places(kind, length * share, generator).reshape(length, share)
            for kind, share in streams
        ]
        return list(np.concatenate(columns, axis=1))

    def _places(self, kind: Indices, n_places: int, generator: Any) -> Indices:
        if self.mixing is None or not self.labeled[kind[0]]:
            return _cycle(kind, n_places, generator)
        return self.mixing.places(n_places, generator, self.labeled)

    def subset(self, indices: Indices) -> "TwoStreamSampler":
        """Return the sampler of these samples."""
        mixing = None if self.mixing is None else self.mixing.subset(indices)
        return replace(self, labeled=self.labeled[indices], mixing=mixing)


def _cycle(kind: Indices, n_places: int, generator: Any) -> Indices:
    """Take a number of samples of a kind: all in random order, then all again in another order."""
    n_rounds = -(-n_places // max(1, len(kind)))
    rounds = [generator.permutation(kind) for _ in range(n_rounds)]
    return np.concatenate([kind[:0], *rounds])[:n_places]


def _n_batches(n_samples: int, batch_size: int) -> int:
    return -(-n_samples // batch_size)
