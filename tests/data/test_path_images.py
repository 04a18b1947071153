import numpy as np
import pytest
from PIL import Image

from segclf.data import PathImages, as_images, load_image
from segclf.data.locations import is_url, read_location, size_of_location

fsspec = pytest.importorskip("fsspec")


def test_lines_without_a_text_are_left_out_and_others_found_in_any_order(tmp_path):
    path = tmp_path / "paths.txt"
    path.write_bytes(b"\xef\xbb\xbfa.png\r\n\n  \nfolder/b c.png \nd.png")
    images = PathImages(path)
    assert [images.key(index) for index in (2, 0, 1)] == ["d.png", "a.png", "folder/b c.png"]
    path.write_bytes(b"x.png\n")
    with pytest.raises(ValueError, match="changed after it was first read"):
        images.key(0)


def test_an_empty_list_is_refused(tmp_path):
    (tmp_path / "none.txt").write_text("\n\n")
    for paths in (tmp_path / "none.txt", []):
        with pytest.raises(ValueError, match="PathImages holds no image"):
            PathImages(paths)


def test_urls_are_read_as_files_are(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    Image.fromarray(array).save(tmp_path / "a.png")
    fsspec.filesystem("memory").pipe_file("/images/a.png", (tmp_path / "a.png").read_bytes())
    urls = ["memory://images/a.png", f"file://{tmp_path}/a.png"]
    for X in (urls, PathImages(urls), [*urls, str(tmp_path / "a.png")]):
        images = as_images(X)
        assert images.sizes().tolist() == [[5, 4]] * len(X)
        for image in images.take(range(len(X))):
            np.testing.assert_array_equal(image, array)
        assert images.path(0) is None
    with pytest.raises(ValueError, match=r"Image 0: Cannot read 'memory://images/b\.png'"):
        as_images(["memory://images/b.png"])


def test_parts_of_files_and_urls(tmp_path):
    (tmp_path / "a").write_bytes(b"0123456789")
    fsspec.filesystem("memory").pipe_file("/parts/a", b"0123456789")
    for name in (str(tmp_path / "a"), "memory://parts/a"):
        assert size_of_location(name) == 10
        assert read_location(name) == b"0123456789"
        assert read_location(name, 2, 3) == b"234"
        assert read_location(name, 8, 5) == b"89"
    assert not any(map(is_url, ["a.png", "/a:b//c", "C:\\a.png", "://a"]))


def test_what_is_missing_is_named_with_its_extra(monkeypatch):
    with pytest.raises(ImportError, match=r"'s3://bucket/a\.png'.*segclf\[remote\]"):
        with_missing(monkeypatch, "s3fs", lambda: PathImages(["s3://bucket/a.png"])[0])


def with_missing(monkeypatch, name, call):
    monkeypatch.setitem(__import__("sys").modules, name, None)
    return call()


def test_volumes_are_listed_too(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    volume = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    nibabel.Nifti1Image(volume, np.eye(4)).to_filename(tmp_path / "a.nii.gz")
    (tmp_path / "paths.txt").write_text(str(tmp_path / "a.nii.gz"))
    images = as_images(PathImages(tmp_path / "paths.txt"), n_spatial=3)
    np.testing.assert_array_equal(images[0], load_image(tmp_path / "a.nii.gz").array)
