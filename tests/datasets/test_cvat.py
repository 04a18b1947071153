from xml.sax.saxutils import quoteattr

import numpy as np
import pytest
from PIL import Image

from segclf.data import as_masks
from segclf.datasets import load_cvat
from segclf.datasets.run_lengths import runs_of_mask

RNG = np.random.default_rng(0)
LABELS = ("cat", "ignore", "dog")


def _file(folder, *images, labels=LABELS, head='<?xml version="1.0" encoding="utf-8"?>'):
    """A file for images of 20 x 24 pixels, each given by what stands in its element."""
    described = "".join(f"<label><name>{label}</name></label>" for label in labels)
    elements = []
    for number, inside in enumerate(images):
        Image.new("RGB", (24, 20)).save(folder / f"{number}.png")
        elements.append(
            f'<image id="{number}" name="{number}.png" width="24" height="20">{inside}</image>'
        )
    (folder / "a.xml").write_text(
        f"{head}<annotations><version>1.1</version><meta><task><labels>{described}</labels></task>"
        f"</meta>{''.join(elements)}</annotations>"
    )
    return folder / "a.xml"


def _shape(tag, label="cat", **attributes):
    listed = " ".join(f"{name}={quoteattr(str(value))}" for name, value in attributes.items())
    return f'<{tag} label="{label}" source="manual" occluded="0" {listed}></{tag}>'


def _polygon(*corners, **more):
    return _shape("polygon", points=";".join(f"{x},{y}" for x, y in corners), **more)


def _mask(mask, top=0, left=0, **more):
    counts = ", ".join(map(str, runs_of_mask(mask.T)))
    return _shape(
        "mask", rle=counts, top=top, left=left, height=len(mask), width=len(mask[0]), **more
    )


SQUARE = [(2, 3), (12, 3), (12, 13), (2, 13)]


def test_masks_come_back(tmp_path):
    ids = RNG.integers(-1, 3, (2, 20, 24))
    values = {"cat": 1, "ignore": -1, "dog": 2}
    inside = ["".join(_mask(each == values[n], label=n) for n in LABELS) for each in ids]
    found = load_cvat(_file(tmp_path, *inside), tmp_path)
    assert (found.class_names, found.names) == (["background", "cat", "dog"], ["0", "1"])
    np.testing.assert_array_equal(np.stack(list(as_masks(found.masks, 2))), ids)
    assert found.target.tolist() == [[1, 1], [1, 1]]


def test_parts_polygons_boxes_and_ellipses(tmp_path):
    part = RNG.random((5, 7)) < 0.5
    expected = np.zeros((20, 24), int)
    expected[3:8, 4:11] = part
    found = load_cvat(_file(tmp_path, _mask(part, 3, 4)), tmp_path)
    np.testing.assert_array_equal(as_masks(found.masks, 1)[0], expected)
    for inside, rows, columns in [
        (_polygon(*SQUARE), slice(3, 13), slice(2, 12)),
        (_shape("box", xtl=2.0, ytl=3.0, xbr=12.0, ybr=13.0), slice(3, 13), slice(2, 12)),
        (_shape("box", xtl=2, ytl=6, xbr=12, ybr=10, rotation=90), slice(3, 13), slice(5, 9)),
    ]:
        expected = np.zeros((20, 24), int)
        expected[rows, columns] = 1
        found = load_cvat(_file(tmp_path, inside), tmp_path, boxes=True)
        np.testing.assert_array_equal(as_masks(found.masks, 1)[0], expected)
    for turn, slim in ((0, 1), (90, 0)):
        inside = _shape("ellipse", cx=12, cy=10, rx=8, ry=3, rotation=turn)
        mask = as_masks(load_cvat(_file(tmp_path, inside), tmp_path).masks, 1)[0]
        assert mask.sum() == pytest.approx(np.pi * 24, rel=0.05)
        assert mask.any(axis=slim).sum() == 6


def test_what_lies_on_top_covers(tmp_path):
    inside = _polygon(*SQUARE, label="dog", z_order=2) + _polygon(*SQUARE, z_order=-1)
    path = _file(tmp_path, inside)
    assert as_masks(load_cvat(path, tmp_path).masks, 1)[0][5, 5] == 2
    channels = as_masks(load_cvat(path, tmp_path, multilabel=True).masks, 1)[0]
    assert channels[:, 5, 5].tolist() == [1, 1]


def test_tags_are_labels(tmp_path):
    path = _file(tmp_path, _shape("tag", "well"), _shape("tag", "ill") + _polygon(*SQUARE), "")
    found = load_cvat(path, tmp_path, unannotated="none")
    assert (found.target.tolist(), found.target_names) == ([1, 0, -1], ["ill", "well"])
    masks = as_masks(found.masks, 3)
    assert (masks.labeled.tolist(), masks[0].any()) == ([True, True, False], False)
    path = _file(tmp_path, _shape("tag", "a") + _shape("tag", "b"), _shape("tag", "b"))
    found = load_cvat(path, tmp_path)
    assert (found.target.tolist(), found.target_names) == ([[1, 1], [0, 1]], ["a", "b"])


def test_nobody_annotated(tmp_path):
    path = _file(tmp_path, _polygon(*SQUARE), "", "")
    with pytest.raises(ValueError, match=r"a\.xml': 2 of 3 images have no annotation, '1.png'"):
        load_cvat(path, tmp_path)
    assert load_cvat(path, tmp_path, unannotated="none").masks[1:] == [None, None]
    found = load_cvat(path, tmp_path, unannotated="empty")
    assert (as_masks(found.masks, 3).labeled.all(), found.target.tolist()) == (True, [1, 0, 0])


def test_without_a_description_labels_are_sorted(tmp_path):
    path = _file(tmp_path, _polygon(*SQUARE, label="b") + _polygon(*SQUARE, label="a"), labels=())
    assert load_cvat(path, tmp_path).class_names == ["background", "a", "b"]


def test_kinds_without_an_area(tmp_path):
    inside = _polygon(*SQUARE) + _shape("points", points="1,2") + _shape("box", xtl=0)
    path = _file(tmp_path, inside)
    with pytest.raises(ValueError, match=r"shape 1 \(points\) has no area; skip=\['points'\]"):
        load_cvat(path, tmp_path)
    with pytest.raises(ValueError, match=r"shape 2 \(box\): boxes=True fills it"):
        load_cvat(path, tmp_path, skip=["points"])
    assert load_cvat(path, tmp_path, skip=["points", "box"]).target.tolist() == [1]
    with pytest.raises(ValueError, match=r"skip names \['polygon'\]; expected box, poly"):
        load_cvat(path, tmp_path, skip=["polygon"])


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        (_polygon((1, 2), (3, 4)), "a polygon has 2 points"),
        (_shape("polygon", points="1,2;3;4"), "points are '1,2;3;4'; expected"),
        (_shape("polygon"), "points are None"),
        (_polygon((1, 2), (3, 4), ("nan", 3)), "is 'nan'; expected a finite number"),
        (_polygon((1, 2), (3, 4), ("1e999", 3)), "is '1e999'; expected a finite number"),
        (_polygon((1, 2), (3, 4), ("x", 3)), "is 'x'; expected a finite number"),
        (_polygon((1, 2), (3, 4), (1e9, 3)), "a coordinate is 1e[+]09"),
        (_polygon(*SQUARE, label="cow"), "its label is 'cow'; known: cat, ignore, dog"),
        (_polygon(*SQUARE, z_order="x"), "z_order is 'x'"),
        (_mask(np.ones((5, 5), bool), 17), "it ends at row 22 and column 5; its image has 20 x 24"),
        (_mask(np.ones((5, 5), bool), -1), "it begins at -1, 0"),
        (_shape("mask", rle="9", top=0, left=0, height=2, width=5), "its runs have 9 pixels; ex"),
        (_shape("mask", rle="9e9", top=0, left=0, height=2, width=5), "more than 10 pixels"),
        (_shape("mask", rle="9.5,.5", top=0, left=0, height=2, width=5), "whole numbers"),
        (_shape("mask", rle="-1,11", top=0, left=0, height=2, width=5), "whole numbers"),
        (_shape("mask", rle="x", top=0, left=0, height=2, width=5), "is 'x'; expected a finite"),
        (_shape("mask", rle="9", top=0, left=0, height=1e9, width=1e9), "expected at most"),
    ],
)
def test_wrong_shapes(tmp_path, inside, message):
    with pytest.raises(ValueError, match=rf"a\.xml': image '0\.png': shape 0 \(\w+\).*{message}"):
        load_cvat(_file(tmp_path, inside), tmp_path)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ('name="../a.png" width="4" height="4"', r"image '\.\./a\.png': .* leads out of"),
        ('name="/etc/hosts" width="4" height="4"', "leads out of"),
        ('name="b.png" width="4" height="4"', "there is no file"),
        ('width="4" height="4"', "image None: None is not a file name"),
        ('name="0.png" width="1e9" height="1e9"', "expected at most"),
        ('name="0.png" width="x" height="4"', "width is 'x'"),
        ('name="0.png" width="4"', "height is None"),
        ('name="0.png" width="0" height="4"', "its size is"),
        ('name="0.png" width="24" height="20"', "'.*0.png' occurs twice"),
    ],
)
def test_wrong_images(tmp_path, image, message):
    path = _file(tmp_path, _polygon(*SQUARE))
    path.write_text(path.read_text().replace("</annotations>", f"<image {image}/></annotations>"))
    with pytest.raises(ValueError, match=rf"a\.xml': .*{message}"):
        load_cvat(path, tmp_path, unannotated="empty")


BOMB = '<!DOCTYPE a [<!ENTITY x0 "xxxxxxxxxx">'
for _n in range(1, 12):
    _ten = f"&x{_n - 1};" * 10
    BOMB += f'<!ENTITY x{_n} "{_ten}">'
BOMB += "]>"


@pytest.mark.parametrize("head", [BOMB, '<!DOCTYPE a SYSTEM "file:///etc/hosts">', "<!DOCTYPE a>"])
def test_document_types_are_refused_before_any_entity_is_defined(tmp_path, head):
    path = _file(tmp_path, _polygon(*SQUARE, label="&x11;"), head=head)
    with pytest.raises(ValueError, match=r"a\.xml' has a document type"):
        load_cvat(path, tmp_path)


def test_other_files(tmp_path):
    path = tmp_path / "a.xml"
    for content, message in (
        ("<a>", r"a\.xml' is not XML"),
        ("<a/>", "holds a; expected CVAT's export for images"),
        ("<annotations><track/></annotations>", "holds tracks of a video"),
        ("<a>&b;</a>", "is not XML: undefined entity"),
    ):
        path.write_text(content)
        with pytest.raises(ValueError, match=message):
            load_cvat(path, tmp_path)
    with pytest.raises(ValueError, match="folder=None"):
        load_cvat(path)


def test_masks_of_colours_are_read_as_vocs(tmp_path):
    for name in ("SegmentationClass", "images"):
        (tmp_path / name).mkdir()
    Image.new("RGB", (5, 4)).save(tmp_path / "images/a.png")
    Image.new("RGB", (5, 4), (250, 50, 83)).save(tmp_path / "SegmentationClass/a.png")
    (tmp_path / "labelmap.txt").write_text("background:0,0,0::\npolyp:250,50,83::\n")
    found = load_cvat(tmp_path, tmp_path / "images")
    assert (as_masks(found.masks, 1)[0] == 1).all()
