import pytest
import torch
from torch import nn

from segclf.networks import load_class_head


def filled(tensors, path, shape=(5, 64)):
    """A head of its own, and what became of it."""
    torch.save(tensors, path / "weights.pth")
    head = nn.Linear(shape[1], shape[0])
    before = head.weight.detach().clone()
    return load_class_head(head, "tiny", path / "weights.pth"), head, before


@pytest.mark.parametrize("name", ["fc", "module.fc", "head", "head.fc", "backbone.classifier"])
def test_the_last_layer_by_its_usual_names(tmp_path, name):
    weight, bias = torch.rand(5, 64), torch.rand(5)
    given = {"stages.0.0.weight": torch.rand(16, 3, 3, 3)}
    done, head, _ = filled(given | {f"{name}.weight": weight, f"{name}.bias": bias}, tmp_path)
    assert done
    assert torch.equal(head.weight, weight)
    assert torch.equal(head.bias, bias)


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"fc.weight": torch.rand(5, 64)},
        {"fc.weight": torch.rand(6, 64), "fc.bias": torch.rand(6)},
        {"fc.weight": torch.rand(5, 32), "fc.bias": torch.rand(5)},
        {"sefc.weight": torch.rand(5, 64), "sefc.bias": torch.rand(5)},
        {f"{n}.weight": torch.rand(5, 64) for n in ("a.fc", "b.fc")}
        | {f"{n}.bias": torch.rand(5) for n in ("a.fc", "b.fc")},
    ],
    ids=["none", "no bias", "other classes", "other features", "another layer", "two of them"],
)
def test_what_does_not_fit_leaves_the_head(tmp_path, tensors):
    done, head, before = filled(tensors, tmp_path)
    assert not done
    assert torch.equal(head.weight, before)


def test_no_weights_have_no_class_scores():
    assert not load_class_head(nn.Linear(64, 5), "tiny", None)
