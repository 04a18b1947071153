import numpy as np
import pytest
import torch

from segclf.data import boxes_at, cutmix, cutmix_boxes


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def sides(boxes):
    """Height and width of each box, in cells; and whether it is a full rectangle."""
    rows, columns = boxes.any(2).sum(1), boxes.any(1).sum(1)
    assert torch.equal(boxes.sum((1, 2)), rows * columns)
    return rows, columns


def test_areas_and_ratios_are_those_of_unimatch():
    boxes = cutmix_boxes(2000, (100, 100), 1.0, generator())
    rows, columns = sides(boxes)
    area, ratio = rows * columns / 100**2, columns / rows
    assert 0.018 < area.min() < 0.03
    assert 0.38 < area.max() < 0.41
    assert area.mean().item() == pytest.approx(0.21, abs=0.005)
    inside = (rows < 100) & (columns < 100)
    assert 0.28 < ratio[inside].min() < 0.32
    assert 3.1 < ratio[inside].max() < 3.6
    assert inside.float().mean() > 0.9


def test_boxes_are_anywhere_alike():
    boxes = cutmix_boxes(4000, (12, 8), 1.0, generator())
    for axis, length in ((1, 12), (2, 8)):
        covered = boxes.any(3 - axis).float().mean(0)
        np.testing.assert_allclose(covered, covered.flip(0), atol=0.03)
        assert len(covered) == length


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_so_many_images_have_a_box(probability):
    share = cutmix_boxes(2000, (4, 4), probability, generator()).any(2).any(1).float().mean()
    assert share.item() == pytest.approx(probability, abs=0.03)


def test_same_generator_same_boxes():
    first, second, other = (cutmix_boxes(9, (6, 6), 0.5, generator(s)) for s in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_pixels_are_those_of_the_image_before_or_ones_own():
    image = torch.rand(5, 3, 24, 16, generator=generator())
    boxes = cutmix_boxes(5, image.shape, 1.0, generator())
    changed = cutmix(image, boxes)
    for i in range(5):
        assert torch.equal(changed[i][:, boxes[i]], image[i - 1][:, boxes[i]])
        assert torch.equal(changed[i][:, ~boxes[i]], image[i][:, ~boxes[i]])


def test_maps_of_all_strides_and_the_mask_are_cut_along_the_same_lines():
    """Values that name image and place tell afterwards where each came from."""
    boxes = cutmix_boxes(4, (3, 2), 1.0, generator())
    images = torch.arange(4.0)
    pixels = cutmix(images[:, None, None].expand(4, 96, 64), boxes)
    for stride in (2, 4, 8, 16, 32):
        maps = images[:, None, None, None].expand(4, 5, 96 // stride, 64 // stride)
        enlarged = cutmix(maps, boxes).repeat_interleave(stride, 2).repeat_interleave(stride, 3)
        assert torch.equal(enlarged[:, 0], pixels)
    assert torch.equal(boxes_at(boxes, (96, 64)), pixels != images[:, None, None])
