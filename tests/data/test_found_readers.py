"""Files find their reader by name, else by their first bytes; ours keep their suffixes."""

import importlib
import sys
import textwrap

import numpy as np
import pytest
from PIL import Image

from segclf import registry
from segclf.data import (
    SemiSupervisedSplit,
    as_images,
    as_masks,
    found_readers,
    load_header,
    load_image,
    load_mask,
    slice_paths,
)
from segclf.data.found_readers import files_behind, find_reader

# Volumes of text: shape in the first line. Their slices are numbered.
STACKS = """
import os
import numpy as np
from segclf.hookspecs import ImageData, ImageHeader, hookimpl

@hookimpl
def segclf_readers():
    return {"stack": ("PLUGIN:StackReader", [".stack", ".png"])}

class StackReader:
    folders = True

    def sniff(self, start):
        return start.startswith(b"STACK")

    def read_header(self, path):
        path = path[0] if isinstance(path, list) else path
        if os.path.isdir(path):
            path = os.path.join(path, sorted(os.listdir(path))[0])
        with open(path) as file:
            d, h, w = map(int, file.readline().split()[1:])
        affine = np.diag([5.0, 2.0, 1.0, 1.0])[[2, 1, 0, 3]]
        return ImageHeader(h, w, 1, np.dtype(np.uint8), d, (5.0, 2.0, 1.0), affine)

    def read(self, path):
        header = self.read_header(path)
        values = np.arange(header.depth, dtype=np.uint8)[:, None, None, None]
        shape = (header.depth, header.height, header.width, 1)
        return ImageData(np.broadcast_to(values, shape).copy(), "dhwc", header.spacing)

    def read_mask(self, path):
        return ImageData(self.read(path).array[..., 0], "dhw")
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution of one module, as pip leaves it on the path."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    clear()

    def install(distribution, code):
        module = distribution.replace("-", "_")
        (site / f"{module}.py").write_text(textwrap.dedent(code).replace("PLUGIN", module))
        info = site / f"{module}-1.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {distribution}\nVersion: 1.5\n")
        (info / "entry_points.txt").write_text(f"[segclf]\ndoor = {module}\n")
        importlib.invalidate_caches()
        clear()
        monkeypatch.delitem(sys.modules, module, raising=False)

    yield install
    clear()


def clear():
    for cached in (
        registry._discover,
        found_readers._suffixes,
        found_readers._by_ending,
        found_readers._made,
    ):
        cached.cache_clear()


@pytest.fixture
def stack(install, tmp_path):
    install("stacks", STACKS)
    path = tmp_path / "a.stack"
    path.write_text("STACK 7 4 5\n")
    return path


def test_a_strangers_reader_is_found_by_suffix_and_by_content(stack, tmp_path):
    assert type(find_reader("B.STACK").reader).__name__ == "StackReader"
    nameless = tmp_path / "IM0001"
    nameless.write_bytes(stack.read_bytes())
    assert load_image(nameless).array.shape == (7, 4, 5, 1)
    assert type(find_reader("a.png").reader).__name__ == "RasterReader"


def test_the_longest_suffix_counts():
    for name, reader in (
        ("a.nii.gz", "NiftiReader"),
        ("a.b.NII.GZ", "NiftiReader"),
        ("a.nii.gz.png", "RasterReader"),
        ("folder.nii.gz/a.png", "RasterReader"),
        (".png", "RasterReader"),
    ):
        assert type(find_reader(name).reader).__name__ == reader
    for name in ("png", "a.gz", "a.png/b", "a.pngx", ""):
        with pytest.raises(ValueError, match="No reader for"):
            find_reader(name)


def test_a_raster_without_a_suffix_is_an_image(tmp_path):
    Image.new("L", (5, 4), 9).save(tmp_path / "IM0001", format="PNG")
    image = load_image(tmp_path / "IM0001")
    assert (image.axes, image.array.shape, image.array.max()) == ("hwc", (4, 5, 1), 9)
    assert as_images([tmp_path / "IM0001"])[0].shape == (4, 5, 1)


def test_two_strangers_of_one_suffix_must_be_told_apart(install, tmp_path):
    install("stacks", STACKS)
    install("other-stacks", STACKS)
    path = tmp_path / "a.stack"
    path.write_text("STACK 7 4 5\n")
    with pytest.raises(ValueError, match=r"a\.stack.*other-stacks:stack, stacks:stack.*reader="):
        load_image(path)
    assert load_image(path, reader="stacks:stack").axes == "dhwc"
    assert as_images([f"{path}[z=3]"], reader="stacks:stack")[0].max() == 3


def test_a_reader_that_cannot_be_imported_hurts_its_own_files_alone(install, tmp_path):
    install("stacks", STACKS.replace("class StackReader", "class Renamed"))
    Image.new("L", (5, 4), 9).save(tmp_path / "IM0001", format="PNG")
    assert load_image(tmp_path / "IM0001").array.shape == (4, 5, 1)
    (tmp_path / "a.stack").write_text("STACK 7 4 5\n")
    with pytest.raises(ValueError, match=r"stacks:stack.*cannot be imported.*StackReader"):
        load_image(tmp_path / "a.stack")


def test_spacings_come_from_headers(stack):
    assert as_images([stack], n_spatial=3).spacings().tolist() == [[5.0, 2.0, 1.0]]
    assert as_images([f"{stack}[z=1]"]).spacings().tolist() == [[2.0, 1.0]]
    assert as_images(np.zeros((1, 5, 8, 8)), n_spatial=3).spacings() is None


def test_a_volume_is_refused_as_an_image_and_its_slices_are_images(stack):
    for take in (as_images, lambda paths: as_images(paths, n_channels=1).take([0])):
        with pytest.raises(ValueError, match=r"Image 0: .*a\.stack.* 7 slices of 4 x 5.*\[z=6\]"):
            take([stack])
    with pytest.raises(ValueError, match=r"Mask 0: .*a\.stack.* 7 slices of 4 x 5.*slice_paths"):
        as_masks([stack], 1)
    paths = slice_paths(stack)
    assert paths[3] == f"{stack}[z=3]"
    images = as_images(paths)
    assert [image.max() for image in images] == list(range(7))
    assert images.size == (4, 5)
    assert as_masks(paths, 7)[3].tolist() == [[3] * 5] * 4
    header = load_header(paths[3])
    assert (header.depth, header.spacing) == (None, (2.0, 1.0))
    np.testing.assert_array_equal(
        header.affine @ [0, 1, 1, 1], load_header(stack).affine @ [3, 1, 1, 1]
    )


def test_a_volume_whose_slices_are_in_use_must_stay_what_it_is(stack):
    images = as_images(slice_paths(stack))
    images.take([3])
    stack.write_text("STACK 7 4 5 \n")
    with pytest.raises(ValueError, match=r"a\.stack\[z=3\].* changed after it was first read"):
        images.take([3])


def test_slices_that_are_not_there(stack, tmp_path):
    with pytest.raises(ValueError, match=r"a\.stack\[z=7\].*z=0 to z=6, but no z=7"):
        load_image(f"{stack}[z=7]")
    Image.new("L", (5, 4)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png\[z=0\].*is an image and has no slice"):
        load_image(tmp_path / "a.png[z=0]")
    with pytest.raises(ValueError, match=r"a\.png.*is an image and has no slices"):
        slice_paths(tmp_path / "a.png")
    with pytest.raises(ValueError, match="Image 0: there is no file"):
        as_images([tmp_path / "b.png[z=1]"])


def test_a_file_that_is_really_named_like_a_slice(tmp_path):
    Image.new("L", (5, 4), 9).save(tmp_path / "a.png[z=3]", format="PNG")
    assert load_image(tmp_path / "a.png[z=3]").array.max() == 9


def test_folders_and_lists_go_to_readers_of_folders(stack, tmp_path):
    folder = tmp_path / "scan"
    folder.mkdir()
    (folder / "a.stack").write_bytes(stack.read_bytes())
    assert load_image(folder).array.shape == (7, 4, 5, 1)
    assert load_image([stack, stack]).array.shape == (7, 4, 5, 1)
    assert as_images([f"{folder}[z=2]"])[0].max() == 2
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.new("L", (5, 4)).save(pictures / "a.png")
    for given in (pictures, tmp_path / "site" / "stacks-1.5.dist-info"):
        with pytest.raises(ValueError, match="is a folder"):
            load_image(given)
    with pytest.raises(ValueError, match=r"a\.png.*not a slice of a volume"):
        load_image([pictures / "a.png"])
    with pytest.raises(ValueError, match="There are no files"):
        load_image([])


def test_files_behind_a_name(stack, tmp_path):
    folder = tmp_path / "scan"
    folder.mkdir()
    (folder / "a.stack").write_bytes(stack.read_bytes())
    for name in (stack, f"{stack}[z=3]"):
        assert files_behind(str(name)) == [str(stack)]
    for name in (folder, f"{folder}[z=3]"):
        assert files_behind(str(name)) == [str(folder / "a.stack")]
    for name in ("no label", str(tmp_path / "site"), "a[z=3]"):
        assert files_behind(name) == []


@pytest.mark.parametrize(
    ("given", "kind"), [("hw", "read"), ("dhwc", "read"), ("hwc", "read_mask")]
)
def test_a_reader_is_held_to_its_axes(stack, monkeypatch, given, kind):
    reader = find_reader(stack).reader
    data = reader.read(str(stack))._replace(axes=given)
    monkeypatch.setattr(reader, kind, lambda path: data._replace(array=data.array[..., 0]))
    with pytest.raises(ValueError, match=rf"a\.stack.*axes '{given}' .*\(7, 4, 5\)"):
        (load_image if kind == "read" else load_mask)(stack)


def test_names_of_masks_are_no_labels(stack):
    split = SemiSupervisedSplit(cv=2).split(range(4), [f"{stack}[z={z}]" for z in range(4)])
    assert [len(test) for _, test in split] == [2, 2]
