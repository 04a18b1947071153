import numpy as np
import pytest
from PIL import Image

from segclf import SupervisedSegmenter
from segclf.data import as_masks
from segclf.datasets import load_voc

RNG = np.random.default_rng(0)
PALETTE = bytes(RNG.integers(0, 255, 768, dtype=np.uint8))


def _folder(folder, masks, *, colours=None, names=None):
    for name in ("SegmentationClass", "JPEGImages", "ImageSets/Segmentation"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    names = names or [f"2007_{number:06}" for number in range(len(masks))]
    for name, mask in zip(names, masks, strict=True):
        (folder / "JPEGImages" / name).parent.mkdir(exist_ok=True)
        (folder / "SegmentationClass" / name).parent.mkdir(exist_ok=True)
        Image.fromarray(RNG.integers(0, 255, (*mask.shape, 3), dtype=np.uint8)).save(
            folder / "JPEGImages" / f"{name}.jpg"
        )
        if colours is None:
            picture = Image.fromarray(np.where(mask < 0, 255, mask).astype(np.uint8))
            picture.putpalette(PALETTE)
        else:
            picture = Image.fromarray(np.array(colours, dtype=np.uint8)[mask])
        picture.save(folder / "SegmentationClass" / f"{name}.png")
    return names


def _list(folder, name, names):
    (folder / "ImageSets/Segmentation" / f"{name}.txt").write_text("\n".join([*names, ""]))


def test_palettes_and_lists(tmp_path):
    masks = RNG.integers(-1, 21, (4, 16, 18))
    names = _folder(tmp_path, masks)
    _list(tmp_path, "train", [names[2], names[0]])
    found = load_voc(tmp_path)
    assert (found.names, len(found.class_names), found.class_names[8]) == (names, 21, "cat")
    np.testing.assert_array_equal(np.stack(list(as_masks(found.masks, 4))), masks)
    train = load_voc(tmp_path, subset="train", groups=lambda name: name[:4], labels=lambda n: 1)
    assert (train.names, train.groups.tolist()) == ([names[2], names[0]], ["2007", "2007"])
    np.testing.assert_array_equal(as_masks(train.masks, 2)[0], masks[2])
    segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=1, n_classes=21)
    segmenter.fit(found.images, found.masks)


def test_label_maps(tmp_path):
    """As CVAT's "segmentation mask" and Datumaro write them."""
    masks = RNG.integers(0, 4, (2, 6, 7))
    colours = [(0, 0, 0), (250, 50, 83), (9, 9, 9), (51, 221, 255)]
    _folder(tmp_path, masks, colours=colours, names=["a/x", "b/x"])
    lines = ["# label:color_rgb:parts:actions", "background:0,0,0::", "polyp:250,50,83::"]
    lines += ["ignore:9,9,9::", "organ:51,221,255::", ""]
    (tmp_path / "labelmap.txt").write_text("\n".join(lines))
    found = load_voc(tmp_path)
    assert (found.names, found.class_names) == (["a/x", "b/x"], ["background", "polyp", "organ"])
    read = np.stack(list(as_masks(found.masks, 2)))
    np.testing.assert_array_equal(read, np.array([0, 1, -1, 2])[masks])
    with pytest.raises(ValueError, match=r"class_names=\['background'\], but .*labelmap\.txt"):
        load_voc(tmp_path, class_names=["background"])
    (tmp_path / "labelmap.txt").write_text("\n".join(lines[:3]))
    with pytest.raises(ValueError, match=r"Mask 0 \('.*x\.png'\): row .* it has \(0, 0, 0\)"):
        as_masks(load_voc(tmp_path).masks, 2)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a", "line 2 is 'a'; expected 'name:r,g,b::'"),
        ("a:1,2::", "line 2 is"),
        ("a:1,2,x::", "line 2 is"),
        ("a:1,2,300::", "line 2: the colour 1,2,300 .* above 255"),
        ("a:0,0,0::", "line 2: the colour 0,0,0 occurs twice"),
        ("background:1,2,3::", "'background' occurs twice"),
    ],
)
def test_wrong_label_maps(tmp_path, line, message):
    _folder(tmp_path, np.zeros((1, 6, 7), int))
    (tmp_path / "labelmap.txt").write_text(f"background:0,0,0::\n{line}\n")
    with pytest.raises(ValueError, match=rf"labelmap\.txt': {message}"):
        load_voc(tmp_path)


def test_wrong_folders(tmp_path):
    names = _folder(tmp_path, np.zeros((2, 6, 7), int))
    for listed, message in (
        (["../x"], r"train\.txt': line 1: '\.\./x' leads out"),
        (["/etc/x"], r"line 1: '/etc/x' leads out"),
        ([names[0]] * 2, "occurs twice"),
        ([names[0], "z"], r"1 of 2 masks are missing: .*z\.png"),
        (["z"], r"'z': found no file in .*JPEGImages"),
    ):
        _list(tmp_path, "train", listed)
        with pytest.raises(ValueError, match=message):
            load_voc(tmp_path, subset="train")
    with pytest.raises(ValueError, match=r"subset='\.\./train': .* leads out"):
        load_voc(tmp_path, subset="../train")
    with pytest.raises(ValueError, match=r"subset='val': there is no file"):
        load_voc(tmp_path, subset="val")
    with pytest.raises(ValueError, match="'background' first"):
        load_voc(tmp_path, class_names=["a"])
    Image.new("L", (7, 6)).save(tmp_path / "JPEGImages" / f"{names[0]}.png")
    with pytest.raises(ValueError, match=r"found 2007_000000\.jpg and 2007_000000\.png in"):
        load_voc(tmp_path)
    (tmp_path / "JPEGImages" / f"{names[0]}.png").unlink()
    (tmp_path / "JPEGImages" / f"{names[0]}.jpg").unlink()
    outside = tmp_path.parent / f"{tmp_path.name}.jpg"
    Image.new("L", (7, 6)).save(outside)
    (tmp_path / "JPEGImages" / f"{names[0]}.jpg").symlink_to(outside)
    with pytest.raises(ValueError, match="is a link that leads out of"):
        load_voc(tmp_path)
    for name in names:
        (tmp_path / "SegmentationClass" / f"{name}.png").unlink()
    with pytest.raises(ValueError, match="has no masks"):
        load_voc(tmp_path)


def test_a_subset_without_masks(tmp_path):
    names = _folder(tmp_path, np.zeros((2, 6, 7), int))
    _list(tmp_path, "test", names)
    for name in names:
        (tmp_path / "SegmentationClass" / f"{name}.png").unlink()
    assert load_voc(tmp_path, subset="test").masks is None
