import pickle

import numpy as np
import pytest
from PIL import Image
from sklearn.model_selection import KFold
from sklearn.utils import _safe_indexing

from segclf import SemiSupervisedSplit
from segclf.data import as_masks, map_masks, save_mask

IDS = np.array([[0, 0, 1, 2, 0], [0, 2, 2, 1, 0], [1, 0, 0, 0, 2], [0, 0, 1, 0, -1], [0] * 5])
COLOURS = {(0, 0, 0): 0, (250, 50, 83): 1, (51, 221, 255): 2, (224, 224, 192): -1}
CODES = {0: 0, 128: 1, 64: 2, 255: -1}
PAINTED = np.array([*COLOURS], dtype=np.uint8)[IDS]
CODED = np.array([*CODES], dtype=np.uint8)[IDS]


@pytest.mark.parametrize("form", ["array", "with alpha", "RGB", "RGBA", "palette"])
def test_colours(tmp_path, form):
    picture, source = Image.fromarray(PAINTED), str(tmp_path / "a.png")
    if form in ("array", "with alpha"):
        source = np.array(picture.convert("RGB" if form == "array" else "RGBA"))
    else:
        (picture.quantize(8) if form == "palette" else picture.convert(form)).save(source)
    masks = as_masks(map_masks([source, None], COLOURS), 2)
    assert (masks.n_classes, masks.multilabel, masks.labeled.tolist()) == (3, False, [True, False])
    np.testing.assert_array_equal(masks[0], IDS)


def test_codes(tmp_path):
    Image.fromarray(CODED).save(tmp_path / "gray.png")
    gray = np.repeat(CODED[..., None], 3, axis=-1)
    for source in (CODED, gray, tmp_path / "gray.png"):
        np.testing.assert_array_equal(as_masks(map_masks([source], CODES), 1)[0], IDS)
    stack = map_masks(np.stack([CODED, CODED]), CODES)
    np.testing.assert_array_equal(as_masks(stack, 2)[1], IDS)


def test_codes_of_volumes(tmp_path):
    volume = np.stack([CODED, CODED[::-1], CODED])
    save_mask(tmp_path / "a.nii", np.where(volume == 255, 3, volume), n_spatial=3)
    for source, codes in ((volume, CODES), (tmp_path / "a.nii", {0: 0, 128: 1, 64: 2, 3: -1})):
        masks = as_masks(map_masks([source, None], codes), 2, n_spatial=3)
        np.testing.assert_array_equal(masks[0], np.stack([IDS, IDS[::-1], IDS]))
    with pytest.raises(
        ValueError, match=r"slice 0, row 3, column 4 holds 3, which values= does not"
    ):
        as_masks(map_masks([tmp_path / "a.nii"], {0: 0, 128: 1, 64: 2}), 1, n_spatial=3)


def test_indices_of_palettes(tmp_path):
    picture = Image.fromarray(np.maximum(IDS, 0).astype(np.uint8) + 5)
    picture.putpalette(bytes(range(256)) * 3)
    picture.save(tmp_path / "palette.png")
    masks = as_masks(map_masks([tmp_path / "palette.png"], {5: 0, 6: 2, 7: 1}), 1)
    np.testing.assert_array_equal(masks[0], np.array([0, 2, 1])[np.maximum(IDS, 0)])


def test_they_are_items_of_a_list_as_any_other():
    masks = map_masks([PAINTED] * 6, COLOURS)
    part = pickle.loads(pickle.dumps(_safe_indexing(masks, np.array([0, 3]))))
    np.testing.assert_array_equal(as_masks(part, 2)[1], IDS)
    splits = list(SemiSupervisedSplit(KFold(3)).split(masks, [*masks[:5], None]))
    assert sorted(np.concatenate([test for _, test in splits])) == [0, 1, 2, 3, 4]
    assert len(list(SemiSupervisedSplit(3).split(masks, masks))) == 3


def test_a_value_without_meaning_is_named(tmp_path):
    Image.fromarray(PAINTED).save(tmp_path / "a.png")
    some = {(0, 0, 0): 0, (250, 50, 83): 1}
    message = r"Mask 1 \('.*a\.png'\): row 0, column 3 holds \(51, 221, 255\).*has \(0, 0, 0\), "
    with pytest.raises(ValueError, match=message):
        as_masks(map_masks([None, tmp_path / "a.png"], some), 2)
    with pytest.raises(ValueError, match=r"Mask 0: row 0, column 2 holds 128, .* has 0, 255"):
        as_masks(map_masks([CODED], {0: 0, 255: 1}), 1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "expected only numbers, or only colours"),
        ({0: 0, (1, 2, 3): 1}, "expected only numbers, or only colours"),
        ({0: 255}, "maps 0 to 255; expected .* 0 to 254, or -1"),
        ({"red": 1}, "maps 'red' to 1"),
        ({(1, 2): 1}, r"maps \(1, 2\) to 1"),
        ({0: 0.5}, "maps 0 to 0.5"),
    ],
)
def test_wrong_mappings(values, message):
    with pytest.raises(ValueError, match=message):
        map_masks([CODED], values)


def test_wrong_sources(tmp_path):
    Image.fromarray(PAINTED).save(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="JPEG changes colours"):
        as_masks(map_masks([tmp_path / "a.jpg"], COLOURS), 1)
    with pytest.raises(ValueError, match=r"shape is \(5, 5\); expected \(h, w, 3\)"):
        as_masks(map_masks([CODED], COLOURS), 1)
    with pytest.raises(ValueError, match=r"map_masks"):
        as_masks(map_masks([PAINTED], CODES), 1)
    with pytest.raises(ValueError, match=r"one path, 'a\.png'"):
        map_masks("a.png", CODES)
