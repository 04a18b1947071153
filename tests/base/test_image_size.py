import numpy as np
import pytest

from segclf.base.image_size import choose_size
from segclf.data import as_images


def test_images_of_one_size_stay_as_they_are():
    assert choose_size(None, as_images(np.zeros((3, 8, 9)))) is None
    assert choose_size(16, as_images(np.zeros((3, 8, 9)))) == (16, 16)
    assert choose_size((16, 8), as_images(np.zeros((3, 8, 9)))) == (16, 8)


def test_a_size_of_three_numbers_is_refused():
    with pytest.raises(ValueError, match=r"image_size=\(8, 8, 3\); expected an int"):
        choose_size((8, 8, 3), as_images(np.zeros((3, 8, 9))))


def test_images_of_several_sizes_come_to_their_median():
    images = as_images([np.zeros((8, 10)), np.zeros((10, 30)), np.zeros((20, 20))])
    assert choose_size(None, images) == (10, 20)
