import json
import pickle

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as tools
from pycocotools.coco import COCO

from segclf import SegmentationClassifier, SupervisedSegmenter
from segclf.cache import digest
from segclf.data import as_images, as_masks, save_image
from segclf.datasets import load_coco, to_coco
from segclf.hookspecs import ImageData

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
RNG = np.random.default_rng(0)
CLASSES = ["background", "cat", "dog"]


def _images(folder, n=3, size=(20, 24)):
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number}.png" for number in range(n)]
    for path in paths:
        Image.fromarray(RNG.integers(0, 255, (*size, 3), dtype=np.uint8)).save(path)
    return paths


def _file(folder, annotations=(), **changes):
    """A file for one image of 20 x 24 pixels."""
    _images(folder, 1)
    content = {
        "images": [{"id": 7, "file_name": "0.png", "height": 20, "width": 24}],
        "categories": [{"id": 3, "name": "dog"}, {"id": 1, "name": "cat"}],
        "annotations": [{"id": n, "image_id": 7, **each} for n, each in enumerate(annotations)],
        **changes,
    }
    (folder / "a.json").write_text(json.dumps(content))
    return folder / "a.json"


def _polygon(*corners, category=1, **more):
    return {"category_id": category, "segmentation": [list(corners)], **more}


@pytest.mark.parametrize("form", ["noise", "holes", "none", "all"])
def test_ids_come_back(tmp_path, form):
    paths = _images(tmp_path / "images")
    masks = {
        "noise": RNG.integers(-1, 3, (3, 20, 24)),
        "holes": np.pad(np.zeros((3, 6, 6), int), ((0, 0), (7, 7), (9, 9)), constant_values=2),
        "none": np.zeros((3, 20, 24), int),
        "all": np.ones((3, 20, 24), int),
    }[form]
    given = [masks[0], None, masks[2]]
    to_coco(tmp_path / "a.json", paths, given, folder=tmp_path / "images", class_names=CLASSES)
    found = load_coco(tmp_path / "a.json", tmp_path / "images")
    assert (found.images, found.class_names) == ([str(path) for path in paths], CLASSES)
    read = as_masks(found.masks, 3)
    assert read.labeled.tolist() == [True, False, True]
    for row in (0, 2):
        np.testing.assert_array_equal(read[row], masks[row])


def test_channels_come_back(tmp_path):
    paths = _images(tmp_path / "images")
    masks = RNG.integers(0, 2, (3, 2, 20, 24))
    masks[:, :, :3] = -1
    to_coco(tmp_path / "a.json", paths, masks, folder=tmp_path / "images", class_names=CLASSES[1:])
    found = load_coco(tmp_path / "a.json", tmp_path / "images", multilabel=True)
    assert found.class_names == ["cat", "dog"]
    read = as_masks(found.masks, 3)
    assert read.multilabel
    np.testing.assert_array_equal(np.stack(list(read)), masks)
    masks[0, 0, 9, 9] = -1
    with pytest.raises(ValueError, match=r"'0\.png': some pixels are -1"):
        to_coco(tmp_path / "b.json", paths, masks, folder=tmp_path / "images")


def test_arrays_are_written_beside(tmp_path):
    images, masks = RNG.integers(0, 255, (2, 9, 8), dtype=np.uint8), np.ones((2, 9, 8), int)
    to_coco(tmp_path / "a.json", images, masks, folder=tmp_path / "images", names=["x", "y"])
    found = load_coco(tmp_path / "a.json", tmp_path / "images")
    assert (found.names, found.class_names) == (["x", "y"], ["background", "class_1"])
    np.testing.assert_array_equal(np.stack(as_images(found.images).take([0, 1]))[..., 0], images)


def test_cocos_own_tools_read_the_same(tmp_path, capsys):
    paths = _images(tmp_path / "images")
    masks = RNG.integers(0, 3, (3, 20, 24))
    to_coco(tmp_path / "a.json", paths, masks, folder=tmp_path / "images")
    coco = COCO(tmp_path / "a.json")
    for number, mask in enumerate(masks, start=1):
        drawn = np.zeros_like(mask)
        for annotation in coco.imgToAnns[number]:
            region = coco.annToMask(annotation).astype(bool)
            drawn[region] = annotation["category_id"]
            encoded = coco.annToRLE(annotation)
            assert tools.area(encoded) == annotation["area"]
            np.testing.assert_array_equal(tools.toBbox(encoded), annotation["bbox"])
        np.testing.assert_array_equal(drawn, mask)


def test_polygons_and_runs_are_what_cocos_tools_make_of_them(tmp_path):
    parts = [[2, 3, 14, 3, 14, 9, 2, 9], [5, 12, 20, 12, 20, 18, 5, 18]]
    counts = [100, 50, 200, 30, 100]
    text = tools.frPyObjects({"size": [20, 24], "counts": counts}, 20, 24)["counts"].decode()
    annotations = [
        {"category_id": 1, "segmentation": parts},
        {"category_id": 3, "segmentation": {"size": [20, 24], "counts": counts}, "iscrowd": 1},
        {"category_id": 1, "segmentation": {"size": [20, 24], "counts": text}},
    ]
    for chosen in ([0], [1], [2], [0, 1], [1, 0]):
        path = _file(tmp_path, [annotations[number] for number in chosen])
        expected = np.zeros((20, 24), int)
        for number in chosen:
            runs = (
                tools.frPyObjects(annotations[number]["segmentation"], 20, 24)
                if (number < 2)
                else {"size": [20, 24], "counts": text}
            )
            runs = tools.merge(runs) if number == 0 else runs
            expected[tools.decode(runs) > 0] = 2 if number == 1 else 1
        found = load_coco(path, tmp_path)
        np.testing.assert_array_equal(as_masks(found.masks, 1)[0], expected)


def test_what_overlaps(tmp_path):
    path = _file(
        tmp_path,
        [_polygon(0, 0, 10, 0, 10, 10, 0, 10, category=3), _polygon(5, 5, 15, 5, 15, 15, 5, 15)],
    )
    ids = as_masks(load_coco(path, tmp_path).masks, 1)[0]
    assert [(ids == number).sum() for number in (1, 2)] == [100, 75]  # the later one covers
    channels = as_masks(load_coco(path, tmp_path, multilabel=True).masks, 1)[0]
    assert channels.sum(axis=(1, 2)).tolist() == [100, 100]


def test_crowds_boxes_and_what_nobody_annotated(tmp_path):
    whole = [0, 0, 24, 0, 24, 20, 0, 20]
    path = _file(tmp_path, [_polygon(*whole, iscrowd=1)])
    for crowd, value in (("class", 1), ("skip", 0)):
        assert (as_masks(load_coco(path, tmp_path, crowd=crowd).masks, 1)[0] == value).all()
    assert as_masks(load_coco(path, tmp_path, crowd="ignore").masks, 1)[0] is None  # all -1
    path = _file(tmp_path, [{"category_id": 1, "bbox": [2, 3, 4, 5], "segmentation": []}])
    with pytest.raises(ValueError, match=r"annotations\[0\] has no segmentation; boxes=True"):
        load_coco(path, tmp_path)
    mask = as_masks(load_coco(path, tmp_path, boxes=True).masks, 1)[0]
    assert (mask.sum(), mask[3:8, 2:6].sum()) == (20, 20)
    path = _file(tmp_path)
    assert not as_masks(load_coco(path, tmp_path).masks, 1)[0].any()
    assert load_coco(path, tmp_path, unannotated="none").masks == [None]


def test_labels_and_groups(tmp_path):
    paths = _images(tmp_path / "images")
    masks = np.zeros((3, 20, 24), int)
    masks[0, :5], masks[1, 5:9] = 1, 2
    given = {"folder": tmp_path / "images", "class_names": CLASSES}
    to_coco(tmp_path / "a.json", paths, masks, **given)
    found = load_coco(tmp_path / "a.json", tmp_path / "images", groups=lambda name: int(name) // 2)
    assert (found.target.tolist(), found.target_names) == ([1, 2, 0], CLASSES)
    assert found.groups.tolist() == [0, 0, 1]
    masks[2, 3], masks[2, 9] = 1, 2
    to_coco(tmp_path / "a.json", paths, [*masks[:2], masks[2]], **given)
    found = load_coco(tmp_path / "a.json", tmp_path / "images")
    assert (found.target.tolist(), found.target_names) == ([[1, 0], [0, 1], [1, 1]], CLASSES[1:])
    said = load_coco(tmp_path / "a.json", tmp_path / "images", labels=lambda name: f"x{name}")
    assert said.target.tolist() == ["x0", "x1", "x2"]


def test_it_is_ready_for_fit_and_known_again(tmp_path):
    paths = _images(tmp_path / "images", 4)
    masks = np.zeros((4, 20, 24), int)
    masks[:2, 4:12, 5:15] = 1
    to_coco(tmp_path / "a.json", paths, masks, folder=tmp_path / "images")
    found = load_coco(tmp_path / "a.json", tmp_path / "images")
    tiny = SupervisedSegmenter(encoder="tiny", max_epochs=1, random_state=0)
    classifier = SegmentationClassifier(segmenter=tiny, random_state=0)
    classifier.fit(found.images, found.target, masks=found.masks)
    other = SegmentationClassifier(segmenter=tiny, random_state=0)
    other.fit(paths, found.target, masks=masks)
    np.testing.assert_array_equal(
        classifier.predict_proba(found.images), other.predict_proba(paths)
    )
    again = load_coco(tmp_path / "a.json", tmp_path / "images").masks
    assert digest(pickle.loads(pickle.dumps(found.masks))) == digest(again)
    assert digest(found.masks[0]) != digest(found.masks[2])


def test_names_with_folders(tmp_path):
    for name in ("p1", "p2"):
        (tmp_path / name).mkdir()
        save_image(tmp_path / name / "a.png", ImageData(np.zeros((4, 5, 1), np.uint8), "hwc"))
    entries = [{"id": n, "file_name": f"p{n}/a.png", "height": 4, "width": 5} for n in (1, 2)]
    path = _file(tmp_path, images=entries, annotations=[])
    found = load_coco(path, tmp_path, groups=lambda name: name.split("/")[0])
    assert (found.names, found.groups.tolist()) == (["p1/a", "p2/a"], ["p1", "p2"])


_SIZE = {"height": 20, "width": 24}
_IMAGE = {"id": 7, "file_name": "0.png", **_SIZE}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": [{**_IMAGE, "file_name": "../0.png"}]}, r"images\[0\]: .*leads out of"),
        ({"images": [{**_IMAGE, "file_name": "/etc/hosts"}]}, r"images\[0\]: .*leads out of"),
        ({"images": [{**_IMAGE, "file_name": 3}]}, r"images\[0\]: 3 is not a file name"),
        ({"images": [{**_IMAGE, "file_name": "b.png"}]}, r"images\[0\]: there is no file"),
        (
            {"images": [_IMAGE, {**_IMAGE, "id": 8}]},
            r"images\[1\]: '0.png' is also the file of .*0",
        ),
        ({"images": [{**_IMAGE, "height": 10**9}]}, r"images\[0\]: its size is .* at most"),
        ({"images": [{**_IMAGE, "height": 1e400}]}, r"images\[0\]: its size is inf"),
        ({"images": [{**_IMAGE, "width": -3}]}, r"images\[0\]: its size is 20 x -3"),
        ({"images": [{**_IMAGE, "width": "24"}]}, r"images\[0\]: its size is '24'"),
        ({"images": [{**_IMAGE, "id": None}]}, r"images\[0\]: its id is None"),
        ({"images": {}}, "images is {}; expected a list"),
        ({"images": [3]}, r"images\[0\] is 3"),
        ({"categories": [{"id": 1, "name": "a"}] * 2}, r"categories\[1\]: its id 1 occurs twice"),
        (
            {"categories": [{"id": n, "name": "a"} for n in (1, 2)]},
            "categories: 'a' occurs twice",
        ),
        ({"categories": [{"id": 1}]}, r"categories\[0\]: its name is None"),
        (
            {"categories": [{"id": n, "name": str(n)} for n in range(255)]},
            "categories: there are 255 classes; expected at most 254",
        ),
    ],
)
def test_wrong_images_and_categories(tmp_path, changes, message):
    with pytest.raises(ValueError, match=rf"a\.json': {message}"):
        load_coco(_file(tmp_path, **changes), tmp_path)


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (_polygon(0, 0, 1, 0), "a polygon has 2 points; expected 3 to 100,000"),
        (_polygon(*[1] * 200_002), "a polygon has 100,001 points"),
        (_polygon(0, 0, 1, 0, 1), "a polygon is"),
        (_polygon(0, 0, 1, 0, float("nan"), 1), "a coordinate is nan"),
        (_polygon(0, 0, 1, 0, float("inf"), 1), "a coordinate is inf"),
        (_polygon(0, 0, 1, 0, 1e9, 1), r"a coordinate is 1e\+09; expected a number up to 1e\+06"),
        (_polygon(0, 0, 1, 0, "3", 1), "a coordinate is '3'; expected a number"),
        (_polygon(0, 0, 1, 0, [3, 4], 1), r"a coordinate is \[3, 4\]"),
        (_polygon(0, 0, 1, 0, None, 1), "a coordinate is None"),
        (_polygon(0, 0, 1, 0, 10**400, 1), "a coordinate is 1000.*finite"),
        ({"category_id": 1, "segmentation": [0, 0, 1, 0, 1, 1]}, "a polygon is 0"),
        ({"category_id": 1, "segmentation": "x"}, "its segmentation is 'x'"),
        ({"category_id": 1}, "has no segmentation"),
        (_polygon(0, 0, 1, 0, 1, 1, category=9), "its category_id is 9, and there is none"),
        (_polygon(0, 0, 1, 0, 1, 1, image_id=9), "its image_id is 9, and there is none"),
        (_polygon(0, 0, 1, 0, 1, 1, image_id=[9]), r"its image_id is \[9\], and there is none"),
        (
            {"category_id": 1, "segmentation": {"size": [24, 20], "counts": [480]}},
            r"its run lengths are of size \[24, 20\], its image is \[20, 24\]",
        ),
        (
            {"category_id": 1, "segmentation": {"size": [20, 24], "counts": [481]}},
            "its runs have more than 480 pixels; expected 480",
        ),
        (
            {"category_id": 1, "segmentation": {"size": [20, 24], "counts": "~"}},
            "'~' is not a text of run lengths",
        ),
        (
            {"category_id": 1, "segmentation": {"size": [20, 24]}},
            "run lengths are .* expected whole numbers",
        ),
    ],
)
def test_wrong_annotations(tmp_path, annotation, message):
    with pytest.raises(ValueError, match=rf"a\.json': annotations\[0\]:? ?{message}"):
        load_coco(_file(tmp_path, [annotation]), tmp_path)


def test_wrong_files_and_arguments(tmp_path):
    for content, message in (("{", "is not JSON"), ("[]", r"holds a list; expected an object")):
        (tmp_path / "b.json").write_text(content)
        with pytest.raises(ValueError, match=message):
            load_coco(tmp_path / "b.json", tmp_path)
    with pytest.raises(FileNotFoundError):
        load_coco(tmp_path / "c.json", tmp_path)
    path = _file(tmp_path, [_polygon(0, 0, 1, 0, 1, 1, id=0)] * 2)
    with pytest.raises(ValueError, match=r"annotations\[1\]: its id 0 occurs twice"):
        load_coco(path, tmp_path)
    for wrong in ({"crowd": "x"}, {"unannotated": None}):
        with pytest.raises(ValueError, match="expected one of class, ignore, skip"):
            load_coco(path, tmp_path, **wrong)
    images = _images(tmp_path / "images")
    masks = np.zeros((3, 20, 24), int)
    with pytest.raises(ValueError, match="is not a file in"):
        to_coco(tmp_path / "d.json", images, masks, folder=tmp_path / "elsewhere")
    for names in (["a", "b"], ["background", "ignore"], ["background"]):
        with pytest.raises(ValueError, match=r"class_names="):
            to_coco(tmp_path / "d.json", images, masks, folder=tmp_path, class_names=names)
