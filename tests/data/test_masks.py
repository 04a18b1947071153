import os

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import segclf.data.mask_scan as mask_scan
from segclf.data.images import as_images
from segclf.data.mask_places import check_mask_sizes
from segclf.data.masks import as_masks


def ids(shape=(4, 5, 6), top=3, seed=0):
    return np.random.default_rng(seed).integers(0, top + 1, shape)


@pytest.mark.parametrize("dtype", ["u1", "i2", "i8", "u8", "f4", "f8", ">i4"])
def test_arrays_of_ids(dtype):
    given = ids()
    masks = as_masks(given.astype(dtype), 4)
    assert (len(masks), masks.n_classes, masks.multilabel) == (4, 4, False)
    assert masks.labeled.tolist() == [True] * 4
    for mask, expected in zip(masks, given, strict=True):
        assert mask.dtype == np.int64
        np.testing.assert_array_equal(mask, expected)


def test_bool_and_empty_masks_have_two_classes():
    assert as_masks(np.zeros((2, 3, 3), dtype=bool), 2).n_classes == 2
    assert as_masks(np.ones((2, 3, 3), dtype=bool), 2)[0].dtype == np.int64


def test_all_unlabeled_is_unknown():
    given = ids()
    given[1] = -1
    given[2, 0] = -1
    masks = as_masks(given, 4)
    assert masks.labeled.tolist() == [True, False, True, True]
    assert masks[1] is None
    np.testing.assert_array_equal(masks[2], given[2])
    assert masks.sizes().tolist() == [[5, 6], [-1, -1], [5, 6], [5, 6]]


def test_multilabel_stacks():
    given = np.random.default_rng(0).integers(-1, 2, (3, 4, 5, 6))
    given[2] = -1
    for values in (given, torch.from_numpy(given), list(given), given.astype(np.float32)):
        masks = as_masks(values, 3)
        assert masks.multilabel
        assert masks.n_classes == 4
        assert masks.labeled.tolist() == [True, True, False]
        np.testing.assert_array_equal(masks[1], given[1])
        assert masks.subset([2]).multilabel


def test_memmap_is_scanned_in_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr("segclf.data.arrays._CHUNK_BYTES", 100)
    given = np.memmap(tmp_path / "masks", dtype=np.uint8, mode="w+", shape=(9, 5, 6))
    given[7, 1, 1] = 6
    masks = as_masks(given, 9)
    assert masks.n_classes == 7
    given[3, 0, 0] = 2
    assert masks[3][0, 0] == 2


def test_no_masks_at_all():
    masks = as_masks(None, 3)
    assert masks.labeled.tolist() == [False] * 3
    assert (masks.n_classes, masks.multilabel, masks[2]) == (2, False, None)


def mixed(tmp_path):
    """A list of every kind, and the ids it holds."""
    expected = [ids((4, 5), seed=0), None, ids((6, 3), seed=1), ids((4, 5), seed=2)]
    cv2.imwrite(str(tmp_path / "gray.png"), expected[2].astype(np.uint8))
    palette = Image.fromarray(expected[3].astype(np.uint8))
    palette.putpalette(np.random.default_rng(0).bytes(768))
    palette.save(tmp_path / "palette.png")
    given = [expected[0], None, tmp_path / "gray.png", str(tmp_path / "palette.png")]
    return given, expected


def test_lists_may_mix_arrays_paths_and_none(tmp_path):
    given, expected = mixed(tmp_path)
    array = np.empty(4, dtype=object)
    array[:] = given
    for values in (given, tuple(given), array):
        masks = as_masks(values, 4)
        assert masks.n_classes == 4
        for mask, ids_ in zip(masks, expected, strict=True):
            np.testing.assert_array_equal(mask, ids_)
        assert masks.sizes().tolist() == [[4, 5], [-1, -1], [6, 3], [4, 5]]


def test_pandas_series_with_missing_paths(tmp_path):
    pandas = pytest.importorskip("pandas")
    cv2.imwrite(str(tmp_path / "a.png"), np.ones((3, 3), np.uint8))
    masks = as_masks(pandas.Series([str(tmp_path / "a.png"), None]), 2)
    assert masks.labeled.tolist() == [True, False]


def test_tensors():
    given = torch.from_numpy(ids())
    np.testing.assert_array_equal(as_masks(given, 4)[1], given[1].numpy())
    np.testing.assert_array_equal(as_masks(list(given), 4)[1], given[1].numpy())


def test_masks_pass_through_the_door_again():
    masks = as_masks(ids(), 4)
    assert as_masks(masks, 4) is masks
    with pytest.raises(ValueError, match="4 masks for 5 images"):
        as_masks(masks, 5)


def test_subset_keeps_the_classes(tmp_path):
    given, expected = mixed(tmp_path)
    part = as_masks(given, 4).subset([3, 1]).subset([1, 0])
    assert part.labeled.tolist() == [False, True]
    assert part.n_classes == 4
    np.testing.assert_array_equal(part[1], expected[3])


def test_files_are_read_one_at_a_time_and_not_kept(tmp_path, monkeypatch):
    reads = []
    read = mask_scan.read_mask
    monkeypatch.setattr(mask_scan, "read_mask", lambda path: (reads.append(path), read(path))[1])
    cv2.imwrite(str(tmp_path / "a.png"), np.ones((3, 3), np.uint8))
    masks = as_masks([tmp_path / "a.png"] * 5, 5)
    assert len(reads) == 5
    assert masks[0].max() == 1
    check_mask_sizes(as_images(np.zeros((5, 3, 3))), masks)
    assert len(reads) == 6


def of_255(tmp_path):
    """Masks of 0 and 255 in every form, and what they mean."""
    ids = np.zeros((3, 6, 7), dtype=np.int64)
    ids[1, 2:4, 3:5] = 1
    ids[2, 0, 0] = -1
    codes = np.where(ids == 1, 255, ids)
    bytes_ = np.maximum(codes, 0).astype(np.uint8)
    files = [str(tmp_path / f"{number}.png") for number in range(3)]
    for file, mask in zip(files, bytes_, strict=True):
        cv2.imwrite(file, mask)
    with_open_pixels = {
        "array": codes,
        "floats": codes.astype(float),
        "list": list(codes),
        "tensor": torch.from_numpy(codes),
    }
    without = {"8 bit": bytes_, "files": files, "RGB": list(np.stack([bytes_] * 3, axis=-1))}
    return ids, with_open_pixels, without


def test_255_is_1_where_0_is_all_else(tmp_path):
    ids, with_open_pixels, without = of_255(tmp_path)
    for forms, expected in ((with_open_pixels, ids), (without, np.maximum(ids, 0))):
        for given in forms.values():
            masks = as_masks(given, 3)
            assert (masks.n_classes, masks.multilabel) == (2, False)
            assert masks.shown()[:, 1].tolist() == [0, 1, expected[2].min()]
            np.testing.assert_array_equal(np.stack(list(masks)), expected)
            assert masks.subset([1])[0].max() == 1


def test_255_is_1_in_channels_too(tmp_path):
    ids, forms, _ = of_255(tmp_path)
    masks = as_masks(np.stack([forms["array"]] * 2, axis=1), 3)
    assert (masks.n_classes, masks.multilabel) == (2, True)
    np.testing.assert_array_equal(masks[1][0], ids[1])


def test_255_is_no_guess_where_more_ids_are_expected(tmp_path):
    codes = of_255(tmp_path)[1]["array"]
    assert as_masks(codes, 3, n_classes=2).n_classes == 2
    with pytest.raises(ValueError, match=r"only 0 and 255, but there are 4 ids.*void.*map_masks"):
        as_masks(codes, 3, n_classes=4)


def test_what_each_mask_shows_is_remembered(tmp_path, monkeypatch):
    cv2.imwrite(str(tmp_path / "a.png"), np.uint8([[0, 7], [200, 0]]))
    given = [np.array([[0, 2], [-1, 0]]), None, tmp_path / "a.png", np.full((2, 2), -1)]
    masks = as_masks(given, 4)
    monkeypatch.setattr(mask_scan, "read_mask", None)
    shown = masks.shown()
    assert shown.shape == (4, 201)
    assert shown[0, :4].tolist() == [1, -1, 1, -1]
    assert np.flatnonzero(shown[2]).tolist() == [0, 7, 200]
    assert (shown[[1, 3]] == -1).all()
    assert masks.subset([2]).shown(8)[0].tolist() == [1, 0, 0, 0, 0, 0, 0, 1]
    assert masks.shown(203)[0, 200:].tolist() == [-1] * 3
    assert masks.shown(203)[2, 200:].tolist() == [1, 0, 0]


def test_what_channels_show_is_remembered():
    given = np.zeros((2, 3, 4, 4), dtype=int)
    given[0, 1, 0], given[0, 2, 0] = 1, -1
    masks = as_masks([*given, None], 3)
    assert masks.shown().tolist() == [[0, 1, -1], [0, 0, 0], [-1, -1, -1]]
    assert masks.shown(4)[1].tolist() == [0, 0, 0, -1]


def array_with(value, dtype=np.int64, shape=(3, 4, 4)):
    array = np.zeros(shape, dtype=dtype)
    array[1, 0, 0] = value
    return array


WRONG = [
    (array_with(255) + np.eye(4, dtype=int)[::-1], "Mask 1 holds 0, 1, 255.*at most 254.*void"),
    (
        array_with(255) + np.arange(3)[:, None, None] // 2,
        "Mask 1 holds 0, 255; expected.*void.*map_masks.* Mask 2 holds other ids",
    ),
    (
        array_with(255, shape=(3, 2, 4, 4)) + np.arange(3)[:, None, None, None] // 2,
        "Mask 1 holds 0, 255; .* Mask 2 holds other ids",
    ),
    (array_with(3, shape=(3, 1, 4, 4)), r"holds 0, 3; .*If these are ids, drop .*masks\[:, 0\]"),
    (np.dstack([np.eye(9)] * 2 + [np.zeros((9, 9))])[None].repeat(3, 0), "Mask 0: .*map_masks"),
    (array_with(300), "Mask 1 holds 0, 300; expected ids 0"),
    (array_with(-2), "Mask 1 holds -2, 0; expected ids of 0 or more, or -1"),
    (array_with(0.5, float), "Mask 1 holds 0.5; expected whole numbers"),
    (array_with(np.nan, float), "Mask 1 holds nan; expected whole numbers"),
    (array_with(np.inf, float), "Mask 1 holds inf; expected whole numbers"),
    (array_with(2, shape=(3, 2, 4, 4)), "Mask 1 is multi-label .* holds 0, 2; expected 0, 1"),
    (array_with(-2, shape=(3, 2, 4, 4)), "Mask 1 is multi-label .* holds -2, 0"),
    (array_with(0, complex), "Mask 0 has dtype complex128"),
    (np.zeros((3, 4)), r"shape \(3, 4\)"),
    (np.zeros((2, 4, 4)), "2 masks for 3 images"),
    ([None] * 4, "4 masks for 3 images"),
    (np.zeros((3, 0, 4)), "at least one pixel"),
    ([None, np.zeros((4, 4)), np.zeros(4)], r"Mask 2: the shape of one mask is \(4,\)"),
    ([None, np.zeros((4, 4)), np.zeros((2, 4, 4))], "Mask 2 has 2 multi-label.*mask 1 exclusive"),
    ([np.zeros((3, 4, 4)), np.zeros((2, 4, 4)), None], "Mask 1 has 2 multi-label.*mask 0 3 multi"),
    ([None, 3, None], "Mask 1 is a int"),
    ([None, None, "a.xyz"], r"Mask 2: No reader for 'a\.xyz'"),
    ([None, "no/such.png", None], r"Mask 1: .*no/such\.png"),
    ("a.png", "masks is a str"),
    ({"a": 1}, "masks is a dict"),
]


@pytest.mark.parametrize(("given", "message"), WRONG, ids=range(len(WRONG)))
def test_errors_name_the_sample(given, message):
    with pytest.raises(ValueError, match=message):
        as_masks(given, 3)


def test_errors_of_files_give_number_and_path(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.uint8([[0, 1, 255]]))
    with pytest.raises(ValueError, match=r"Mask 1 .*a\.png.* holds 0, 1, 255"):
        as_masks([None, tmp_path / "a.png"], 2)
    cv2.imwrite(str(tmp_path / "b.png"), np.uint8([[[0, 1, 0]]]))
    with pytest.raises(ValueError, match=r"Mask 0: .*b\.png.*colour.*map_masks"):
        as_masks([os.fspath(tmp_path / "b.png")], 1)


def test_sizes_must_agree():
    images = as_images([np.zeros((4, 5, 3)), np.zeros((6, 7, 3)), np.zeros((2, 2, 3))])
    check_mask_sizes(images, as_masks([None, np.zeros((6, 7)), np.zeros((2, 2))], 3))
    check_mask_sizes(images, as_masks(None, 3))
    with pytest.raises(ValueError, match="Mask 2 has 2 x 3 pixels, its image 2 x 2"):
        check_mask_sizes(images, as_masks([None, np.zeros((6, 7)), np.zeros((2, 3))], 3))


def test_sizes_of_files_come_from_headers(tmp_path, monkeypatch):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 5, 3), np.uint8))
    images = as_images([tmp_path / "a.png"] * 2)
    monkeypatch.setattr("segclf.data.file_source.read_image", None)
    check_mask_sizes(images, as_masks([np.zeros((2, 4, 5)), None], 2))
    with pytest.raises(ValueError, match="Mask 1 has 5 x 4"):
        check_mask_sizes(images, as_masks([None, np.zeros((5, 4))], 2))


def test_hidden_masks_are_none_and_all_else_stays():
    given = [np.array([[0, 3]]), np.array([[0, 1]]), None]
    masks = as_masks(given, 3)
    seen = masks.subset([2, 1, 0]).hide([2])
    assert seen.labeled.tolist() == [False, True, False]
    assert seen[2] is None
    assert seen[1].tolist() == [[0, 1]]
    assert seen.n_classes == 4
    assert seen.shown(2).tolist() == [[-1, -1], [1, 1], [-1, -1]]
    assert masks.labeled.tolist() == [True, True, False]


def test_who_knows_no_masks_is_given_what_was_passed_as_ids(tmp_path):
    array = np.zeros((3, 4, 2), dtype=np.uint8)
    assert as_masks(array, 3).as_given() is array
    assert as_masks(array, 3).subset([1]).as_given().dtype == np.uint8
    assert as_masks(array + 255, 3).as_given().tolist() == (array + 1).tolist()
    Image.fromarray(array[0] + 3).save(tmp_path / "mask.png")
    item, decoded, missing = as_masks([array[0], tmp_path / "mask.png", None], 3).as_given()
    assert item.base is array
    assert decoded.tolist() == [[3, 3]] * 4
    assert missing is None
    (colored,) = as_masks([np.ones((8, 8, 3), dtype=np.uint8)], 1).as_given()
    assert colored.tolist() == [[1] * 8] * 8


def test_shares_of_labeled_pixels():
    masks = as_masks([np.array([[0, 1, 3, 3]]), np.array([[0, 2, 0, -1]]), None], 3)
    expected = [[0.25, 0.25, 0, 0.5], [2 / 3, 0, 1 / 3, 0], [np.nan] * 4]
    np.testing.assert_allclose(masks.shares(), expected)
    np.testing.assert_allclose(masks.subset([1]).shares(6), [[2 / 3, 0, 1 / 3, 0, 0, 0]])
    np.testing.assert_allclose(
        masks.hide([0]).shares(2), [[np.nan] * 2, expected[1][:2], [np.nan] * 2]
    )
    many = np.random.default_rng(0).integers(0, 20, (3, 9, 7))
    counted = [np.bincount(mask.ravel(), minlength=20) / 63 for mask in many]
    np.testing.assert_allclose(as_masks(many, 3).shares(20), counted)


def test_shares_of_channels():
    masks = np.zeros((3, 2, 4, 5), dtype=int)
    masks[0, 0, 0], masks[1, 0, :2], masks[1, 0, 2], masks[1:, 1] = 1, -1, 1, -1
    masks[2] = -1
    np.testing.assert_allclose(
        as_masks(masks, 3).shares(), [[0.25, 0], [0.5, np.nan], [np.nan, np.nan]]
    )


def test_shares_where_255_is_one():
    masks = as_masks(np.array([[[0, 255, 255, 0]], [[0, 0, 0, 255]]]), 2)
    np.testing.assert_allclose(masks.shares()[:, 1], [0.5, 0.25])
