import json

import numpy as np
import pytest
from PIL import Image

from segclf.data import as_masks
from segclf.datasets import load_label_studio

RNG = np.random.default_rng(0)


def packed(values, lengths=(3, 4, 8, 16)):
    """Pack bytes bit by bit, as Label Studio's editor does; written from the format alone."""
    bits = [f"{len(values):032b}", f"{7:05b}", *(f"{length - 1:04b}" for length in lengths)]
    values, at = [int(value) for value in values], 0
    while at < len(values):
        until = at
        while until < len(values) and values[until] == values[at]:
            until += 1
        run = until - at > 1
        if not run:  # as many as differ from the next one
            while until + 1 < len(values) and values[until] != values[until + 1]:
                until += 1
        until = min(until, at + 2 ** max(lengths))
        which = next(k for k, length in enumerate(lengths) if until - at <= 2**length)
        bits += [str(int(run)), f"{which:02b}", f"{until - at - 1:0{lengths[which]}b}"]
        bits += [f"{value:08b}" for value in (values[at : at + 1] if run else values[at:until])]
        at = until
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return [int(text[first : first + 8], 2) for first in range(0, len(text), 8)]


def _brush(mask, label="cat", colour=(1, 2, 3), **more):
    picture = np.zeros((*mask.shape, 4), dtype=np.uint8)
    picture[mask] = *colour, 255
    return _result(
        "brushlabels", [label], mask.shape, format="rle", rle=packed(picture.ravel()), **more
    )


def _result(kind, labels, size=(20, 24), outer=None, **value):
    return {
        "type": kind,
        "original_height": size[0],
        "original_width": size[1],
        "image_rotation": 0,
        "value": {kind: labels, **value},
        **(outer or {}),
    }


def _file(folder, *results, **changes):
    """One task for each list of results, None for a task without an annotation."""
    tasks = []
    for number, result in enumerate(results):
        Image.new("RGB", (24, 20)).save(folder / f"{number}.png")
        annotations = [] if result is None else [{"id": number, "result": result}]
        task = {"id": 10 + number, "data": {"image": f"/data/upload/3/{number}.png"}}
        tasks.append({**task, "annotations": annotations, **changes})
    (folder / "a.json").write_text(json.dumps(tasks))
    return folder / "a.json"


SQUARE = [[25, 25], [75, 25], [75, 75], [25, 75]]
MASK = np.zeros((20, 24), bool)
MASK[5:15, 6:18] = True


@pytest.mark.parametrize("colours", ["one", "noise"])
def test_brush_masks_come_back(tmp_path, colours):
    mask = RNG.random((20, 24)) < 0.4
    picture = RNG.integers(0, 255, (20, 24, 4))  # values that repeat seldom
    picture[..., 3] = np.where(mask, 255, 0)
    result = _brush(mask)
    if colours == "noise":
        result["value"]["rle"] = packed(picture.ravel(), lengths=(2, 1, 5, 9))
    found = load_label_studio(_file(tmp_path, [result]), tmp_path)
    assert (found.names, found.class_names) == (["0"], ["background", "cat"])
    np.testing.assert_array_equal(as_masks(found.masks, 1)[0], mask)


def test_polygons_boxes_and_ellipses_in_percent(tmp_path):
    inside = {"x": 25.0, "y": 25.0, "width": 50.0, "height": 50.0}
    for result in [
        _result("polygonlabels", ["cat"], points=SQUARE),
        _result("rectanglelabels", ["cat"], **inside, rotation=0),
        # turned around the upper left corner, to lie where the others do
        _result("rectanglelabels", ["cat"], x=75, y=25, width=1000 / 24, height=60, rotation=90),
    ]:
        found = load_label_studio(_file(tmp_path, [result]), tmp_path, boxes=True)
        np.testing.assert_array_equal(as_masks(found.masks, 1)[0], MASK)
    ellipse = _result("ellipselabels", ["cat"], x=50, y=50, radiusX=25, radiusY=20)
    mask = as_masks(load_label_studio(_file(tmp_path, [ellipse]), tmp_path).masks, 1)[0]
    rows, columns = np.mgrid[:20, :24] + 0.5
    np.testing.assert_array_equal(mask, ((columns - 12) / 6) ** 2 + ((rows - 10) / 4) ** 2 <= 1)


def test_labels_of_their_own(tmp_path):
    """Where a brush and the choice of its label are two tags, results are joined by their id."""
    brush = _brush(MASK, outer={"type": "brush", "id": "x"})
    del brush["value"]["brushlabels"]
    label = {"type": "labels", "id": "x", "value": {"labels": ["dog"]}}
    found = load_label_studio(_file(tmp_path, [brush, label]), tmp_path)
    assert found.class_names == ["background", "dog"]
    np.testing.assert_array_equal(as_masks(found.masks, 1)[0], MASK)


def test_what_nobody_annotated_and_what_nothing_was_found_on(tmp_path):
    path = _file(tmp_path, [_brush(MASK)], [], None)
    found = load_label_studio(path, tmp_path)
    masks = as_masks(found.masks, 3)
    assert (masks.labeled.tolist(), masks[1].shape, masks[1].any()) == (
        [True, True, False],
        (20, 24),
        False,
    )
    assert found.target.tolist() == [1, 0, -1]
    found = load_label_studio(path, tmp_path, unannotated="empty")
    assert as_masks(found.masks, 3).labeled.all()


def test_choices_are_labels(tmp_path):
    ill, well = ({"type": "choices", "value": {"choices": [name]}} for name in ("ill", "well"))
    found = load_label_studio(_file(tmp_path, [ill, _brush(MASK)], [well], None), tmp_path)
    assert (found.target.tolist(), found.target_names) == ([0, 1, -1], ["ill", "well"])
    assert as_masks(found.masks, 3).labeled.tolist() == [True, True, False]


def test_which_annotation_counts(tmp_path):
    first, second = _brush(MASK), _brush(~MASK)
    done = [{"result": [first]}, {"result": [second]}, {"result": [], "was_cancelled": True}]
    for annotations, expected in (
        (done, ~MASK),
        ([{**done[0], "ground_truth": True}, *done[1:]], MASK),
    ):
        found = load_label_studio(_file(tmp_path, None, annotations=annotations), tmp_path)
        np.testing.assert_array_equal(as_masks(found.masks, 1)[0], expected)
    found = load_label_studio(_file(tmp_path, None, annotations=done[2:]), tmp_path)
    assert found.masks == [None]


def test_what_overlaps(tmp_path):
    both = _result("polygonlabels", ["cat", "dog"], points=SQUARE)
    path = _file(tmp_path, [_brush(MASK, "dog"), _brush(MASK, "cat")])
    assert (as_masks(load_label_studio(path, tmp_path).masks, 1)[0][MASK] == 1).all()
    for results in ([_brush(MASK, "dog"), _brush(MASK, "cat")], [both]):
        path = _file(tmp_path, results)
        channels = as_masks(load_label_studio(path, tmp_path, multilabel=True).masks, 1)[0]
        np.testing.assert_array_equal(channels, [MASK, MASK])
    with pytest.raises(ValueError, match=r"result 0: it has the labels cat, dog; multilabel=True"):
        load_label_studio(path, tmp_path)


def test_ids_by_name(tmp_path):
    path = _file(tmp_path, [_brush(MASK, "b"), _brush(~MASK, "ignore")])
    found = load_label_studio(path, tmp_path, class_names=["c", "b", "ignore"])
    assert found.class_names == ["background", "c", "b"]
    np.testing.assert_array_equal(as_masks(found.masks, 1)[0], np.where(MASK, 2, -1))
    with pytest.raises(ValueError, match=r"result 0: its label is 'b'; known: c"):
        load_label_studio(path, tmp_path, class_names=["c"])


@pytest.mark.parametrize(
    "text",
    [
        "a.png",
        "/data/upload/3/a.png",
        "/data/upload/3/ab12cd34-a.png",
        "/data/local-files/?d=some/where/a.png",
        "https://example.org/some/a.png?signature=x",
        "s3://bucket/a.png",
        "C:\\scans\\a.png",
    ],
)
def test_how_images_are_found(tmp_path, text):
    path = _file(tmp_path, [_brush(MASK)], data={"scan": text, "text": "b"})
    (tmp_path / "0.png").rename(tmp_path / "a.png")
    found = load_label_studio(path, tmp_path, key="scan", groups=lambda name: name)
    assert (found.images, found.groups.tolist()) == ([str(tmp_path / "a.png")], ["a"])
    with pytest.raises(ValueError, match=r"task 0 \(id 10\): .* no text 'image'; its keys: scan"):
        load_label_studio(path, tmp_path)


def test_longer_ends_win(tmp_path):
    path = _file(tmp_path, [_brush(MASK)], data={"image": "/x/p1/0.png"})
    (tmp_path / "p1").mkdir()
    Image.new("RGB", (24, 20)).save(tmp_path / "p1/0.png")
    assert load_label_studio(path, tmp_path).names == ["p1/0"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("../0.png", r"'\.\./0\.png' leads out"),
        ("/data/local-files/?d=..%2F0.png", "leads out"),
        ("/data/local-files/?d=/x/../../0.png", "leads out"),
        ("%2e%2e/0.png", "leads out"),
        ("link.png", "is a link that leads out"),
        ("z.png", "there is no file"),
        ("", "there is no file"),
    ],
)
def test_no_name_leads_out_of_the_folder(tmp_path, text, message):
    inside = tmp_path / "inside"
    inside.mkdir()
    Image.new("RGB", (24, 20)).save(tmp_path / "0.png")
    path = _file(inside, [_brush(MASK)], data={"image": text})
    (inside / "link.png").symlink_to(tmp_path / "0.png")
    with pytest.raises(ValueError, match=rf"a\.json': task 0 \(id 10\): .*{message}"):
        load_label_studio(path, inside)


def _damaged(change):
    result = _brush(MASK)
    change(result)
    return result


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (_result("keypointlabels", ["a"], x=1), r"'keypointlabels' has no area; skip=\["),
        (_result("rectanglelabels", ["a"], x=1), "boxes=True fills it"),
        (_result("polygonlabels", [], points=SQUARE), "it has no label"),
        (_result("polygonlabels", ["a"], points=SQUARE[:2]), "a polygon has 2 points"),
        (_result("polygonlabels", ["a"], points=[1, 2]), r"points are \[1, 2\]"),
        (_result("polygonlabels", ["a"], points=[[1, float("nan")]] * 3), "a coordinate is nan"),
        (_result("polygonlabels", ["a"], points=[["1", 2]] * 3), "a coordinate is '1'"),
        (_result("polygonlabels", ["a"], points=[[1e9, 2]] * 3), r"a coordinate is 1e\+09"),
        (_result("ellipselabels", ["a"], x="x"), "x is 'x'; expected a number"),
        (_result("polygonlabels", ["a"], (20, 1e9), points=SQUARE), "expected at most"),
        (_result("polygonlabels", ["a"], (20, None), points=SQUARE), "its size is None"),
        (_damaged(lambda r: r.update(image_rotation=90)), "its image was rotated"),
        (_damaged(lambda r: r.update(original_width=23)), r"has 1,920 values of 8 bits; expected"),
        (_damaged(lambda r: r["value"].update(rle=[1, 2])), "it ends in the middle"),
        (
            _damaged(lambda r: r["value"].update(rle=[256])),
            r"its rle is \[256\]; expected a list of b",
        ),
        (_damaged(lambda r: r["value"].update(rle="x")), "its rle is 'x'"),
        (_damaged(lambda r: r["value"].update(rle=None)), "its rle is None"),
        (_damaged(lambda r: r["value"].update(rle=[255] * 9)), "4,294,967,295 values of 32 bits"),
    ],
)
def test_wrong_results(tmp_path, result, message):
    with pytest.raises(ValueError, match=rf"a\.json': task 0 \(id 10\): result 0: .*{message}"):
        load_label_studio(_file(tmp_path, [result]), tmp_path)


@pytest.mark.parametrize("n_left", [9, 11, 12, 20])
def test_brush_masks_that_end_too_early_or_run_on(tmp_path, n_left):
    result = _brush(RNG.random((20, 24)) < 0.5)
    result["value"]["rle"] = result["value"]["rle"][:n_left]
    found = load_label_studio(_file(tmp_path, [result]), tmp_path)
    message = (
        r"Mask 0: 'a\.json': task 0 \(id 10\): result 0: its brush mask is damaged: it ends in"
    )
    with pytest.raises(ValueError, match=message):
        as_masks(found.masks, 1)
    zeros = packed(np.zeros(4 * 480, np.uint8))
    result["value"]["rle"] = [*zeros[:-3], 255, 255, 255, 255]
    found = load_label_studio(_file(tmp_path, [result]), tmp_path)
    with pytest.raises(ValueError, match=r"damaged: it holds more than 1,920 values|it ends"):
        as_masks(found.masks, 1)


def test_wrong_files(tmp_path):
    for content, message in (
        ({}, "holds a dict; expected a list"),
        ([3], "task 0 is 3"),
        ([{"image": "x", "label": []}], "task 0 has no data; expected the export 'JSON', not"),
        ([{"data": {"image": "0.png"}, "annotations": 3}], "its annotations are 3"),
        ([{"data": {"image": "0.png"}, "annotations": [{"result": 3}]}], "its result is 3"),
        ([{"data": {"image": "0.png"}}] * 2, "occurs twice"),
    ):
        Image.new("RGB", (24, 20)).save(tmp_path / "0.png")
        (tmp_path / "a.json").write_text(json.dumps(content))
        with pytest.raises(ValueError, match=message):
            load_label_studio(tmp_path / "a.json", tmp_path)
    sizes = [_brush(MASK), _brush(MASK[:10])]
    with pytest.raises(ValueError, match="regions belong to images of several sizes"):
        load_label_studio(_file(tmp_path, sizes), tmp_path)
    with pytest.raises(ValueError, match="unannotated='x'"):
        load_label_studio(_file(tmp_path, []), tmp_path, unannotated="x")


def test_the_oracle():
    """Label Studio's own converter reads what our packing writes, where it is installed."""
    brush = pytest.importorskip("label_studio_converter.brush")
    values = RNG.integers(0, 3, 999)
    np.testing.assert_array_equal(brush.decode_rle(packed(values)), values)
