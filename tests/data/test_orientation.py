import pytest
import torch

from segclf.data.orientation import orientation, reorient

CASES = [(x, y, turns) for x in (False, True) for y in (False, True) for turns in range(4)]


@pytest.mark.parametrize("shape", [(16, 5, 5), (16, 2, 5, 5)])
def test_flips_come_before_turns(shape):
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    flip_x, flip_y, turns = (torch.tensor(values) for values in zip(*CASES, strict=True))
    moved = reorient(images, orientation(flip_x, flip_y, turns))
    for image, result, (x, y, k) in zip(images, moved, CASES, strict=True):
        flipped = image.flip([axis for axis, chosen in ((-1, x), (-2, y)) if chosen])
        assert torch.equal(result, torch.rot90(flipped, k, (-2, -1)))


def test_nothing_to_do_copies_nothing():
    images, no = torch.rand(2, 3, 4, 6), torch.tensor([False, False])
    assert reorient(images, orientation(no, no, torch.zeros(2, dtype=torch.int64))) is images
