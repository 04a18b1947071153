import numpy as np
import pytest

from segclf.methods.pseudo_label.rounds import Passes


@pytest.mark.parametrize(("n_samples", "n_places"), [(3, 10), (10, 10), (10, 3)])
def test_passes_fill_the_places(n_samples, n_places):
    batches = Passes(n_samples, n_places).batches(4, seed=0, epoch=0)
    assert len(batches) == -(-n_places // 4)
    counts = np.bincount(np.concatenate(batches), minlength=n_samples)
    assert counts.sum() == n_places
    assert counts.max() - counts.min() <= 1


def test_passes_are_a_function_of_seed_and_epoch():
    def orders(*epochs):
        batches = [Passes(5, 20).batches(20, seed=1, epoch=epoch) for epoch in epochs]
        return [batch[0].tolist() for batch in batches]

    first, again, other = orders(0, 0, 1)
    assert first == again
    assert first != other


def test_a_part_has_as_many_places():
    assert Passes(8, 20).subset(np.arange(3)) == Passes(3, 20)
