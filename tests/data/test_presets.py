import pytest
import torch

from segclf.data.augmentation import Augmentation
from segclf.data.presets import PRESETS, as_augmentation


@pytest.mark.parametrize("name", sorted(PRESETS))
@pytest.mark.parametrize("shape", [(2, 1, 16, 16), (2, 4, 9, 14), (3, 1, 1, 5)])
def test_presets_work_on_any_image(name, shape):
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(shape[0], *shape[2:], dtype=torch.int64)
    changed, moved = as_augmentation(name)(image, mask, torch.Generator())
    assert changed.shape == image.shape
    assert changed.isfinite().all()
    assert torch.equal(moved, mask)


def test_as_augmentation_takes_none_objects_and_callables():
    def own(image, mask, generator):
        return image, mask

    assert as_augmentation(None) is None
    assert as_augmentation(own) is own
    strong = Augmentation(**PRESETS["strong"])
    assert as_augmentation(strong) is strong
    assert as_augmentation("light") is not as_augmentation("light")


@pytest.mark.parametrize("spec", ["lihgt", ""])
def test_unknown_names_list_those_there_are(spec):
    with pytest.raises(ValueError, match=f"'{spec}'; available: flips, light, strong"):
        as_augmentation(spec)


@pytest.mark.parametrize("spec", [3, Augmentation, {"rotation": 3}])
def test_other_things_are_no_augmentation(spec):
    with pytest.raises(TypeError, match="expected None, a name"):
        as_augmentation(spec)
