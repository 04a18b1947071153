import numpy as np
import pytest
from dicom_files import write_series
from PIL import Image

from segclf import SegmentationClassifier, SliceWise, SupervisedSegmenter
from segclf.data import as_masks, load_header, load_mask, save_image
from segclf.datasets import load_coco, make_shapes, write_masks
from segclf.hookspecs import ImageData

SHAPES = make_shapes(4, image_size=16, n_objects=2, target_radius=4, random_state=0)
TINY = {"encoder": "tiny", "max_epochs": 1, "random_state": 0}
SEGMENTER = SupervisedSegmenter(**TINY).fit(SHAPES.images, SHAPES.masks)


class Known:
    """A segmenter that says what it is given; it counts how many images it sees at once."""

    n_classes_ = 3

    def __init__(self, masks, n_spatial=2):
        self.masks, self._n_spatial, self.seen = list(masks), n_spatial, []

    def predict(self, X):
        self.seen.append(len(X))
        return np.stack(self.masks[len(self.seen) - 1 : len(self.seen)])


def _paths(folder, n=4):
    folder.mkdir(parents=True)
    for number in range(n):
        Image.fromarray(SHAPES.images[number]).save(folder / f"case{number}.png")
    return [folder / f"case{number}.png" for number in range(n)]


@pytest.mark.parametrize("layout", [None, "png", "tif", "nifti"])
def test_masks_are_what_is_predicted(tmp_path, layout):
    paths = _paths(tmp_path / "images")
    written = write_masks(SEGMENTER, paths, tmp_path / "masks", layout=layout)
    ending = {None: ".png", "nifti": ".nii.gz"}.get(layout, f".{layout}")
    assert written == [str(tmp_path / "masks" / f"case{n}{ending}") for n in range(4)]
    for path, mask in zip(written, SEGMENTER.predict(paths), strict=True):
        np.testing.assert_array_equal(load_mask(path).array, mask)


def test_a_classifier_writes_its_masks(tmp_path):
    classifier = SegmentationClassifier(segmenter=SupervisedSegmenter(**TINY), random_state=0)
    classifier.fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    written = write_masks(classifier, SHAPES.images, tmp_path)
    assert [path[-8:] for path in written] == [f"000{n}.png" for n in range(4)]
    np.testing.assert_array_equal(
        np.stack([load_mask(path).array for path in written]),
        classifier.predict_masks(SHAPES.images),
    )


def test_volumes_lie_where_their_files_do(tmp_path):
    affine = np.diag([-3.0, 0.5, -0.75, 1])[[2, 1, 0, 3]]
    volume = np.random.default_rng(0).integers(0, 99, (3, 16, 18, 1)).astype(np.int16)
    save_image(tmp_path / "a.nii.gz", ImageData(volume, "dhwc", None, affine))
    paths = [tmp_path / "a.nii.gz"]
    masks = [np.random.default_rng(0).integers(0, 2, (3, 16, 18))]
    model = SliceWise(SupervisedSegmenter(**TINY)).fit(paths, masks)
    (written,) = write_masks(model, paths, tmp_path / "masks")
    read = load_mask(written)
    np.testing.assert_array_equal(read.array, model.predict(paths)[0])
    np.testing.assert_allclose(np.abs(np.diag(read.affine[[2, 1, 0]])), [3, 0.5, 0.75])
    masks = write_masks(Known(masks, 3), paths, tmp_path / "n", layout="nnunet")
    assert masks == [str(tmp_path / "n/a.nii.gz")]


def test_masks_of_dicom_folders_lie_in_the_patient_where_the_series_does(tmp_path):
    masks = np.zeros((1, 4, 6, 7), int)
    masks[0, 1, 2:4, 5] = 1
    write_series(tmp_path / "scan", np.zeros((4, 6, 7), np.int16))
    (written,) = write_masks(Known(masks, 3), [tmp_path / "scan"], tmp_path / "masks")
    assert written == str(tmp_path / "masks/scan.nii.gz")
    read, places = load_mask(written), []
    header = load_header(tmp_path / "scan")
    for mask, affine in ((read.array, read.affine), (masks[0], header.affine)):
        voxels = np.argwhere(mask == 1)
        places.append(np.c_[voxels, np.ones(len(voxels))] @ affine.T)
    np.testing.assert_allclose(np.sort(places[0], axis=0), np.sort(places[1], axis=0), atol=1e-3)


def test_one_image_is_read_at_a_time_and_what_is_done_is_there(tmp_path):
    masks = np.random.default_rng(0).integers(0, 3, (4, 16, 16))
    known = Known([*masks[:2], np.full((16, 16), -1), masks[3]])
    with pytest.raises(ValueError, match="cannot hold int16"):
        write_masks(known, SHAPES.images, tmp_path)
    assert known.seen == [1, 1, 1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0000.png", "0001.png"]
    np.testing.assert_array_equal(load_mask(tmp_path / "0001.png").array, masks[1])


@pytest.mark.parametrize("multilabel", [False, True])
def test_coco(tmp_path, multilabel):
    paths = _paths(tmp_path / "images")
    shape, high = ((4, 3, 16, 16), 2) if multilabel else ((4, 16, 16), 3)
    masks = np.random.default_rng(0).integers(0, high, shape)
    (written,) = write_masks(Known(masks), paths, tmp_path / "masks", layout="coco")
    found = load_coco(written, tmp_path / "images", multilabel=multilabel)
    np.testing.assert_array_equal(np.stack(list(as_masks(found.masks, 4))), masks)


def test_names(tmp_path):
    first, second = _paths(tmp_path / "p1", 1), _paths(tmp_path / "p2", 1)
    known = Known(np.zeros((2, 16, 16), int))
    with pytest.raises(ValueError, match=r"p1/case0.*p2/case0.* have the same name 'case0'"):
        write_masks(known, first + second, tmp_path / "masks")
    written = write_masks(known, first + second, tmp_path / "masks", names=["p1/a", "p2/a"])
    assert written == [str(tmp_path / "masks" / name) for name in ("p1/a.png", "p2/a.png")]
    for names in (["p1/../../a", "b"], ["/a", "b"], ["", "b"]):
        with pytest.raises(ValueError, match="is not a valid file name"):
            write_masks(known, first + second, tmp_path / "masks", names=names)
    channels = [path.rename(path.with_name("x_0000.png")) for path in first]
    written = write_masks(Known(np.zeros((1, 16, 16), int)), channels, tmp_path, layout="nnunet")
    assert written == [str(tmp_path / "x.png")]


def test_nothing_is_replaced_unless_asked_for(tmp_path):
    paths = _paths(tmp_path / "images", 2)
    masks = np.ones((2, 16, 16), int)
    before = paths[0].read_bytes()
    for overwrite in (False, True):
        with pytest.raises(ValueError, match=r"case0\.png' is an image of X"):
            write_masks(Known(masks), paths, tmp_path / "images", overwrite=overwrite)
    assert paths[0].read_bytes() == before
    write_masks(Known(masks), paths, tmp_path / "masks")
    known = Known(masks)
    with pytest.raises(ValueError, match=r"case0\.png' exists already; overwrite=True"):
        write_masks(known, paths, tmp_path / "masks")
    assert known.seen == []
    write_masks(Known(masks * 2), paths, tmp_path / "masks", overwrite=True)
    assert (load_mask(tmp_path / "masks/case1.png").array == 2).all()


def test_wrong_layouts(tmp_path):
    with pytest.raises(ValueError, match=r"layout='jpg'; expected one of png, tif, nifti"):
        write_masks(SEGMENTER, SHAPES.images, tmp_path, layout="jpg")
    with pytest.raises(ValueError, match="'coco' is for images"):
        write_masks(Known([], 3), np.zeros((1, 3, 16, 16)), tmp_path, layout="coco")
    with pytest.raises(ValueError, match=r"can hold one picture.*\('k', 'h', 'w'\)"):
        write_masks(Known(np.zeros((1, 2, 16, 16), int)), SHAPES.images[:1], tmp_path)
