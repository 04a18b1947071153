"""Which samples each batch of an epoch holds: pure functions of (seed, epoch)."""

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
        """Return the indices of each batch of an epoch; as many batches in every epoch.

        Parameters
        ----------
        batch_size : int
            Number of samples in a batch, at most.
        seed, epoch : int
            Decide everything.
        """

    @abstractmethod
    def subset(self, indices: Indices) -> "Sampler":
        """Return the sampler of those samples."""


@dataclass(frozen=True)
class ShuffledSampler(Sampler):
    """Every sample once an epoch.

    Batches are of nearly equal size, so that none holds a single sample where that can be helped.

    Parameters
    ----------
    n_samples : int
        Number of samples.
    shuffle : bool
        Whether each epoch has an order of its own; else samples come as they are.

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
        """Return the sampler of those samples."""
        return ShuffledSampler(len(indices), self.shuffle)


@dataclass(frozen=True, eq=False)
class MixingSampler(Sampler):
    """Each place in a batch goes to an expert's sample with one probability, else to another.

    CheXseg's mixing (Gadgil et al., MIDL 2021, section 3.3), where p is the probability that a
    sample chosen for a batch is expert-annotated. It holds for every p exactly in expectation (the
    public code's comparison of floats makes .2 of .3), 0 and 1 included; within its kind, every
    sample comes as often as every other, give or take one. An epoch has as many places as there
    are samples. Where one kind has no sample, the other fills all places.

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
        """Return the sample of each of so many places.

        Parameters
        ----------
        n_places : int
            How many.
        generator : numpy.random.Generator
            Gives every random number.
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
        """Return the sampler of those samples."""
        return MixingSampler(self.expert[indices], self.probability)


@dataclass(frozen=True, eq=False)
class KindsSampler(Sampler):
    """Each place in a batch goes to one of several kinds, as often as its samples weigh.

    Within a kind every sample comes as often as every other, give or take one. An epoch has as many
    places as there are samples.

    Parameters
    ----------
    kinds : array of int, shape (n,)
        Of each sample.
    weights : array of shape (n,)
        Of each sample, the same within a kind.

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
        """Return the sampler of those samples."""
        return KindsSampler(self.kinds[indices], self.weights[indices])


@dataclass(frozen=True, eq=False)
class BalancedSampler(Sampler):
    """Every class as often as every other, in each batch as nearly as its size allows.

    Classes take turns, in another order in each round, so that a class of three images among a
    thousand has its share of every batch; within a class, every sample comes as often as every
    other, give or take one. Samples of no class come as often as without balance. An epoch has as
    many places as there are samples. Class-aware sampling: Shen, Lin and Huang, "Relay
    backpropagation for effective learning of deep convolutional neural networks", ECCV 2016,
    section 3.3.

    Parameters
    ----------
    members : array of shape (n, k), bool
        Which classes each sample is of; it may be several. Classes of the same samples count as
        one.

    Examples
    --------
    >>> sampler = BalancedSampler.of_labels(np.array([0, 0, 0, 0, 0, 0, 1, 2, 2]))
    >>> np.sort(np.concatenate(sampler.batches(3, seed=0, epoch=0))).tolist()
    [2, 4, 5, 6, 6, 6, 7, 8, 8]
    """

    members: NDArray[np.bool_]

    @classmethod
    def of_labels(cls, labels: NDArray[np.int64]) -> "BalancedSampler":
        """Return the sampler of labels.

        Parameters
        ----------
        labels : array of shape (n,) or (n, k)
            Classes from 0 on, or an indicator; -1 where unlabeled. Of an indicator, images
            without any class, all 0, are a class of their own.
        """
        if not is_indicator(labels):
            return cls(labels[:, None] == np.unique(labels[labels >= 0]))
        return cls(np.column_stack([labels == 1, are_negative(labels)]))

    def batches(self, batch_size: int, seed: int, epoch: int) -> list[Indices]:
        """Return the indices of each batch of an epoch."""
        generator = np.random.default_rng([seed, epoch])
        # Sorted by what they hold, so that the order of the classes plays no part.
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
        """Return the sampler of those samples."""
        return BalancedSampler(self.members[indices])


@dataclass(frozen=True, eq=False)
class TwoStreamSampler(Sampler):
    """Each batch holds so many labeled samples, then so many unlabeled ones.

    An epoch is one pass over the stream that lasts longer, in batches; the other starts over. Where
    one kind has no sample, batches hold the other kind's share alone (the public code of cross
    teaching loops for ever there).

    Parameters
    ----------
    labeled : array of shape (n,), bool
        Which samples are labeled.
    n_labeled, n_unlabeled : int
        Number of samples of each kind in a batch.
    mixing : MixingSampler, optional
        How the labeled samples come; by default one as often as another.

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
        """Return the sampler of those samples."""
        mixing = None if self.mixing is None else self.mixing.subset(indices)
        return replace(self, labeled=self.labeled[indices], mixing=mixing)


def _cycle(kind: Indices, n_places: int, generator: Any) -> Indices:
    """Take so many of a kind: all of them in random order, then all again in another."""
    n_rounds = -(-n_places // max(1, len(kind)))
    rounds = [generator.permutation(kind) for _ in range(n_rounds)]
    return np.concatenate([kind[:0], *rounds])[:n_places]


def _n_batches(n_samples: int, batch_size: int) -> int:
    return -(-n_samples // batch_size)
