import numpy as np
import pytest
from PIL import Image

from segclf.data import as_masks
from segclf.data.mask_forms import in_our_form

IDS = np.array([[0, 0, 1, 2, 0], [0, 2, 2, 1, 0], [1, 0, 0, 0, 2], [0, 0, 1, 0, 0], [0] * 5])
GRAY = np.repeat(IDS[..., None], 3, axis=-1)
OPAQUE = np.concatenate([GRAY, np.full((5, 5, 1), 255)], axis=-1)


@pytest.mark.parametrize(
    "form", [IDS[..., None], GRAY, OPAQUE, np.eye(3, dtype=int)[IDS], np.eye(3, dtype=bool)[IDS]]
)
def test_channels_that_are_last_are_read(form):
    np.testing.assert_array_equal(in_our_form(form), IDS)
    for given in ([form, None], np.stack([form, form])):
        masks = as_masks(given, 2)
        assert (masks.multilabel, masks.n_classes) == (False, 3)
        np.testing.assert_array_equal(masks[0], IDS)


def test_one_hot_may_leave_pixels_open():
    ids = np.where(IDS == 2, -1, IDS)
    form = np.where(ids[..., None] < 0, -1, np.eye(2, dtype=int)[ids])
    np.testing.assert_array_equal(in_our_form(form), ids)
    assert (in_our_form(np.full((5, 5, 3), -1)) == -1).all()


def test_channels_that_are_first_stay():
    channels = np.moveaxis(np.eye(3, dtype=int)[IDS], -1, 0)
    assert in_our_form(channels) is channels
    assert as_masks(channels[None], 1).multilabel
    single = as_masks(np.minimum(IDS, 1)[None, None], 1)
    assert (single.multilabel, single.n_classes) == (True, 1)


@pytest.mark.parametrize(
    "colours",
    [
        np.stack([IDS, IDS, 0 * IDS], axis=-1),
        np.concatenate([GRAY, 255 * np.minimum(IDS, 1)[..., None]], axis=-1),
    ],
)
def test_colours_need_a_meaning(colours):
    with pytest.raises(ValueError, match=r"Mask 1: its shape \(5, 5, .\) looks like colours.*map_"):
        as_masks([None, colours], 2)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_files_of_gray_colours(tmp_path, mode):
    picture = Image.fromarray(IDS.astype(np.uint8)).convert(mode)
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(as_masks([tmp_path / "a.png"], 1)[0], IDS)
    changed = np.array(picture)
    changed[0, 0, -1] = 3  # a color, or a hole
    Image.fromarray(changed).save(tmp_path / "b.png")
    with pytest.raises(ValueError, match=r"Mask 0: .*b\.png.*map_masks"):
        as_masks([tmp_path / "b.png"], 1)
