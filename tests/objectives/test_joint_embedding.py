import math
import warnings

import pytest
import torch

from segclf.objectives import CollapseWarning, JointEmbedding


class Watching(JointEmbedding):
    """Shows the batch's embeddings."""

    def forward(self, batch, progress):
        self.watch(batch["embedding"])
        return {"nothing": batch["embedding"].sum() * 0}


def watched(embedding):
    objective = Watching()
    objective({"embedding": embedding}, None)
    return objective, {"epoch": 3, **{n: float(v) for n, v in objective.measures().items()}}


@pytest.mark.parametrize("n_dimensions", [2, 64, 2048])
def test_random_directions(n_dimensions):
    embedding = torch.randn(2000, n_dimensions, generator=torch.Generator().manual_seed(0))
    _, row = watched(embedding)
    assert row["embedding_std"] == pytest.approx(1 / math.sqrt(n_dimensions), rel=0.02)


def test_two_opposite_points():
    """(1, 0) and (-1, 0), of any length: deviations 1 and 0, so .5."""
    _, row = watched(torch.tensor([[3.0, 0.0], [-0.1, 0.0]]))
    assert row["embedding_std"] == pytest.approx(0.5)


def test_of_several_networks_the_least_spread_counts():
    spread = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert watched(torch.stack([spread, spread]))[1]["embedding_std"] == pytest.approx(0.5)
    assert watched(torch.stack([spread, torch.ones(2, 2)]))[1]["embedding_std"] == pytest.approx(0)


def test_length_does_not_count():
    embedding = torch.randn(16, 8)
    lengths = torch.rand(16, 1) + 0.1
    expected = watched(embedding)[1]["embedding_std"]
    assert watched(lengths * embedding)[1]["embedding_std"] == pytest.approx(expected, rel=1e-5)


def test_identical_embeddings_collapse():
    objective, row = watched(torch.ones(8, 16))
    assert row["embedding_std"] == pytest.approx(0, abs=1e-7)
    with pytest.warns(CollapseWarning, match=r"epoch 3 of Watching: .* about 0\.25 when healthy"):
        objective.after_epoch(row)


@pytest.mark.parametrize(("share", "warns"), [(0.09, True), (0.11, False)])
def test_the_warning_begins_at_a_tenth(share, warns):
    objective, row = watched(torch.randn(8, 16))
    row["embedding_std"] = share / math.sqrt(16)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        objective.after_epoch(row)
    assert [each.category for each in caught] == [CollapseWarning] * warns


def test_healthy_embeddings_are_not_warned_of():
    objective, row = watched(torch.randn(64, 16))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        objective.after_epoch(row)


def test_watching_changes_no_gradient_and_no_checkpoint():
    embedding = torch.randn(4, 3, requires_grad=True)
    objective, _ = watched(embedding)
    assert not objective.measures()["embedding_std"].requires_grad
    assert objective.state_dict() == {}
