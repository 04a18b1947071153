import torch

from segclf.objectives import spare_vectors


def test_vectors_do_not_decay_and_all_else_stays():
    matrix, vector, number = (torch.zeros(shape) for shape in [(2, 3), (3,), ()])
    other = torch.zeros(2, 1)
    rising = {"params": [matrix, vector, number], "rate": 0.1, "weight_decay_schedule": abs}
    first, second, third, fourth = spare_vectors([rising, {"params": [other]}])
    assert first["params"] == [matrix]
    assert (first["rate"], first["weight_decay_schedule"]) == (0.1, abs)
    assert [id(p) for p in second["params"]] == [id(vector), id(number)]
    assert (second["rate"], second["weight_decay"]) == (0.1, 0.0)
    assert "weight_decay_schedule" not in second
    assert (third, fourth["params"]) == ({"params": [other]}, [])
