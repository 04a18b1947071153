import numpy as np
import pytest
import torch

from segclf.data import Augmentation, as_augmentation

IMAGE = torch.rand(2, 3, 8, 8)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"horizontal_flip": 1.5}, r"horizontal_flip is 1\.5; expected a number from 0 to 1"),
        ({"rotation": -1}, "rotation is -1; expected a number from 0 to 180"),
        ({"rotation": "10"}, "rotation is '10'"),
        ({"noise": float("nan")}, "noise is nan"),
        ({"brightness": float("inf")}, "brightness is inf"),
        ({"vertical_flip": True}, "vertical_flip is True"),
        ({"scale": 1.2}, r"scale is 1\.2; expected a pair \(low, high\)"),
        ({"scale": (1.2, 0.8)}, r"scale is \(1\.2, 0\.8\)"),
        ({"output_scale": 0}, r"output_scale is 0; expected a number from 0\.01 to 1"),
        ({"solarize": 2}, "solarize is 2; expected a number from 0 to 1"),
        ({"blur": 1.0}, r"blur is 1\.0; expected a pair \(low, high\) with 0 <= low"),
        ({"blur": (-1, 2)}, r"blur is \(-1, 2\)"),
        ({"blur_reference_size": 0}, "blur_reference_size is 0; expected a whole number"),
        ({"blur_reference_size": 22.4}, r"blur_reference_size is 22\.4"),
        ({"crop": (0.5, 1.5)}, "crop is .* 0.01 <= low <= high <= 1"),
    ],
)
def test_settings_outside_their_limits(settings, message):
    augmentation = Augmentation(**settings)
    with pytest.raises(ValueError, match=message):
        as_augmentation(augmentation)
    with pytest.raises(ValueError, match=message):
        augmentation(IMAGE, None, torch.Generator())


def test_numpy_numbers_and_lists_are_settings():
    augmentation = Augmentation(rotation=np.float32(10), scale=[np.float64(0.9), 1])
    changed, _ = as_augmentation(augmentation)(IMAGE, None, torch.Generator())
    assert changed.shape == IMAGE.shape


@pytest.mark.parametrize(
    ("image", "mask", "message"),
    [
        (torch.zeros(3, 8, 8), None, r"image is \(3, 8, 8\) of torch.float32; expected"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.float64), None, "torch.float64"),
        (torch.zeros(2, 3, 8, 8), torch.zeros(2, 8, 9).long(), r"expected \(2, 8, 8\)"),
        (torch.zeros(2, 3, 8, 8), torch.zeros(1, 8, 8).long(), r"mask is \(1, 8, 8\)"),
        (torch.zeros(2, 3, 8, 8), torch.zeros(2, 8, 8), "of torch.int64"),
    ],
)
def test_batches_of_other_shapes(image, mask, message):
    with pytest.raises(ValueError, match=message):
        Augmentation()(image, mask, torch.Generator())
