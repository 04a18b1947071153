import json
import pickle

import numpy as np
import pytest
from PIL import Image

from segclf import SupervisedSegmenter
from segclf.cache import digest
from segclf.data import as_images, as_masks, load_image, save_image, save_mask
from segclf.datasets import load_nnunet, to_nnunet
from segclf.hookspecs import ImageData

CLASSES = ["background", "organ", "polyp"]


def _masks(shape, low=-1, seed=0):
    return np.random.default_rng(seed).integers(low, 3, shape)


def _images(shape, dtype="uint8"):
    return np.random.default_rng(1).integers(0, 250, shape).astype(dtype)


@pytest.mark.parametrize(
    ("ending", "dtype", "channels"),
    [
        (".png", "uint8", (3,)),
        (".png", "uint16", ()),
        (".png", "uint8", (2,)),
        (".tif", "float32", ()),
        (".nii.gz", "float32", ()),
    ],
)
def test_images_come_back(tmp_path, ending, dtype, channels):
    images, masks = _images((5, 8, 9, *channels), dtype), _masks((5, 8, 9))
    folds = [([0, 1, 2], [3, 4]), ([3, 4], [0, 1, 2])]
    given = {"class_names": CLASSES, "splits": folds, "X_test": images[:2]}
    to_nnunet(tmp_path / "a", images, masks, file_ending=ending, **given)
    found = load_nnunet(tmp_path / "a", groups=lambda name: int(name) // 2, labels=int)
    assert (found.names, found.class_names) == ([f"{i:04}" for i in range(5)], CLASSES)
    assert (found.groups.tolist(), found.target.tolist()) == ([0, 0, 1, 1, 2], [0, 1, 2, 3, 4])
    read = as_images(found.images).take(range(5))
    np.testing.assert_array_equal(np.stack(read).reshape(images.shape), images)
    assert read[0].dtype == images.dtype
    for row, mask in enumerate(as_masks(found.masks, 5)):
        np.testing.assert_array_equal(mask, masks[row])
    assert [tuple(part.tolist() for part in fold) for fold in found.splits] == folds
    test = load_nnunet(tmp_path / "a", subset="test")
    np.testing.assert_array_equal(
        load_image(test.images[1]).array.reshape(8, 9, -1)[..., 0],
        images[1].reshape(8, 9, -1)[..., 0],
    )
    assert (len(test), test.masks, test.splits) == (2, None, None)


@pytest.mark.parametrize("n_channels", [1, 2])
def test_volumes_come_back(tmp_path, n_channels):
    volumes = [_images((d, 6, 7, n_channels), "int16") for d in (4, 5)]
    masks = [_masks((4, 6, 7)), None]
    spacing = (3.0, 0.5, 0.75)
    to_nnunet(tmp_path / "a", volumes, masks, class_names=CLASSES, spacing=spacing, n_spatial=3)
    found = load_nnunet(tmp_path / "a")
    assert load_image(found.images[0]).spacing == pytest.approx(spacing)
    images = as_images(found.images, n_spatial=3)
    for row, volume in enumerate(volumes):
        np.testing.assert_array_equal(images[row], volume)
    read = as_masks(found.masks, 2, n_spatial=3)
    np.testing.assert_array_equal(read[0], masks[0])
    assert read[1] is None  # nobody said anything


def test_files_of_nifti_are_copied_and_masks_lie_on_them(tmp_path):
    affine = np.diag([-3.0, 0.5, -0.75, 1])[[2, 1, 0, 3]]
    volume = ImageData(_images((4, 5, 6, 1), "int16"), "dhwc", None, affine)
    source = tmp_path / "patient.nii"
    save_image(source, volume)
    read = load_image(source)
    mask = (read.array[..., 0] > 90).astype(int)
    to_nnunet(tmp_path / "a", [source], [mask], file_ending=".nii", n_spatial=3)
    assert (tmp_path / "a/imagesTr/patient_0000.nii").read_bytes() == source.read_bytes()
    to_nnunet(tmp_path / "b", [str(source)], [mask], n_spatial=3)  # and as .nii.gz
    for folder in ("a", "b"):
        found = load_nnunet(tmp_path / folder)
        assert found.names == ["patient"]
        np.testing.assert_allclose(load_image(found.images[0]).affine, read.affine)
        np.testing.assert_array_equal(as_masks(found.masks, 1, n_spatial=3)[0], mask)


def test_it_is_ready_for_fit(tmp_path):
    to_nnunet(tmp_path / "a", _images((4, 16, 16, 2)), _masks((4, 16, 16)))
    found = load_nnunet(tmp_path / "a")
    segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=1, random_state=0)
    segmenter.fit(found.images, found.masks)
    assert (segmenter.n_classes_, segmenter.predict(found.images).shape) == (3, (4, 16, 16))
    part = found.subset([2, 0])
    again = pickle.loads(pickle.dumps(part))
    assert (again.names, digest(again.masks)) == (["0002", "0000"], digest(part.masks))
    np.testing.assert_array_equal(as_masks(again.masks, 2)[1], as_masks(found.masks, 4)[0])


def test_regions_are_channels(tmp_path):
    ids = _masks((8, 9), low=0)
    ids[0] = 3
    to_nnunet(tmp_path / "a", _images((1, 8, 9)), ids[None])
    regions = {"background": 0, "whole": [1, 2], "core": 2, "ignore": 3}
    _change(tmp_path / "a", labels=regions, regions_class_order=[1, 2])
    found = load_nnunet(tmp_path / "a")
    assert found.class_names == ["whole", "core"]
    masks = as_masks(found.masks, 1)
    expected = np.stack([ids > 0, ids == 2]).astype(int)
    expected[:, 0] = -1
    assert masks.multilabel
    np.testing.assert_array_equal(masks[0], expected)
    _change(tmp_path / "a", labels={"background": 0, "whole": [1, 2], "core": 2})
    with pytest.raises(ValueError, match=r"Mask 0 \('.*0000.png'\): it holds 3, which is in no re"):
        as_masks(load_nnunet(tmp_path / "a").masks, 1)


def test_files_that_dataset_json_lists(tmp_path):
    for name in ("t1/a", "t2/a", "masks/a"):
        (tmp_path / name).parent.mkdir()
        save_image(tmp_path / f"{name}.png", ImageData(_images((4, 5, 1)), "hwc"))
    save_mask(tmp_path / "masks/a.png", np.eye(4, 5))
    _describe(tmp_path, dataset={"a": _listed("t1/a.png", "t2/a.png", label="masks/a.png")})
    found = load_nnunet(tmp_path)
    assert load_image(found.images[0]).array.shape == (4, 5, 2)
    np.testing.assert_array_equal(as_masks(found.masks, 1)[0], np.eye(4, 5))


@pytest.mark.parametrize(
    "name", ["../a.png", "/etc/hosts", "C:\\a.png", "x/../../a.png", "link.png"]
)
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    inside = tmp_path / "inside"
    inside.mkdir()
    for folder in (tmp_path, inside):
        Image.new("L", (5, 4)).save(folder / "a.png")
    (inside / "link.png").symlink_to(tmp_path / "a.png")
    dataset = {"a": _listed("a.png", name, label="a.png")}
    _describe(inside, dataset=dataset)
    with pytest.raises(
        ValueError, match=r"dataset\.json': dataset: 'a': .*(leads|expected.*inside)"
    ):
        load_nnunet(inside)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": {"organ": 1}}, '"background": 0 first'),
        ({"labels": {"background": 0, "a": 2}}, "expected 0, 1, 2 and so on"),
        ({"labels": {"background": 0, "a": 1, "b": 1}}, "two labels have the same id"),
        ({"labels": {"background": 0, "ignore": 1, "b": 2}}, "'ignore' last"),
        ({"labels": {"background": 0, "a": 1e9}}, "whole numbers, 0 to 254"),
        ({"file_ending": "/../x"}, "file_ending is"),
        ({"channel_names": {"0": "a", "1": "b", "2": "c"}}, "channels 0000, 0001; .* 0002"),
        ({"channel_names": []}, "channel_names is"),
        ({"channel_names": None, "modality": {}}, "for nnU-Net 1"),
    ],
)
def test_wrong_descriptions(tmp_path, changes, message):
    to_nnunet(tmp_path / "a", _images((2, 8, 9, 2)), _masks((2, 8, 9)))
    _change(tmp_path / "a", **changes)
    with pytest.raises(ValueError, match=message):
        load_nnunet(tmp_path / "a")


def test_wrong_folders(tmp_path):
    to_nnunet(tmp_path / "a", _images((2, 8, 9)), _masks((2, 8, 9)), splits=[([0], [1])])
    with pytest.raises(ValueError, match=r"imagesTr' has files already"):
        to_nnunet(tmp_path / "a", _images((2, 8, 9)), _masks((2, 8, 9)))
    with pytest.raises(ValueError, match="'train' or 'test'"):
        load_nnunet(tmp_path / "a", subset="val")
    with pytest.raises(ValueError, match=r"no file like 'case_0000\.png'"):
        load_nnunet(tmp_path / "a", subset="test")
    folds = tmp_path / "a/splits_final.json"
    for content, message in [
        ('[{"train": ["0000"], "val": ["0007"]}]', "fold 0: val names '0007'"),
        ('[{"train": ["0000", "0000"], "val": []}]', "fold 0: train: '0000' occurs twice"),
        ('[{"train": 3}]', "fold 0 is"),
        ("{}", r"holds a dict; expected a list"),
        ("[" * 100_000, "is not JSON"),
    ]:
        folds.write_text(content)
        with pytest.raises(ValueError, match=f"splits_final.json': {message}|{message}"):
            load_nnunet(tmp_path / "a")
    folds.unlink()
    (tmp_path / "a/labelsTr/0001.png").unlink()
    with pytest.raises(ValueError, match=r"case '0001' has no mask: there is no file"):
        load_nnunet(tmp_path / "a")


def test_what_nnunet_cannot_hold(tmp_path):
    images = _images((2, 8, 9))
    wrong = [
        ({"masks": np.zeros((2, 3, 8, 9), int)}, "one id per pixel"),
        ({"masks": np.zeros((2, 8, 8), int)}, "Mask 0 has 8 x 8 pixels"),
        ({"names": ["a", "A"]}, "have the same name 'A'"),
        ({"names": ["a", "../b"]}, r"'\.\./b' is not a valid file name"),
        ({"names": ["a"]}, "1 names for 2 images"),
        ({"class_names": ["background"]}, "1 class_names for 3 ids"),
        ({"class_names": ["background", "ignore", "a"]}, "no 'ignore'"),
        ({"channel_names": ["a", "b"]}, "2 channel_names for 1 channels"),
        ({"file_ending": ".jpg"}, "file_ending='.jpg'"),
    ]
    for number, (changes, message) in enumerate(wrong):
        given = {"masks": _masks((2, 8, 9)), **changes}
        with pytest.raises(ValueError, match=message):
            to_nnunet(tmp_path / str(number), images, **given)
        assert not (tmp_path / str(number) / "dataset.json").exists()


def _listed(*images, label):
    return {"images": list(images), "label": label}


def _describe(folder, **changes):
    description = {
        "channel_names": {"0": "a", "1": "b"},
        "labels": {"background": 0, "organ": 1},
        "file_ending": ".png",
        **changes,
    }
    kept = {key: value for key, value in description.items() if value is not None}
    (folder / "dataset.json").write_text(json.dumps(kept))


def _change(folder, **changes):
    _describe(folder, **{**json.loads((folder / "dataset.json").read_text()), **changes})
