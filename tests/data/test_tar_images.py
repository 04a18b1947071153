"""Archives are read where they lie, whatever their members are called and say of themselves."""

import io
import os
import tarfile

import numpy as np
import pytest
from PIL import Image

from segclf.data import TarImages

ARRAY = np.random.default_rng(0).integers(0, 256, (6, 5), dtype=np.uint8)
FILE = io.BytesIO()
Image.fromarray(ARRAY).save(FILE, "PNG")
PNG = FILE.getvalue()


def write(path, *names, data=PNG, end=True, **options):
    with tarfile.open(path, "w", **options) as archive:
        for name in names:
            member = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            member.size = len(data) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(data))
    return path


def special(name, kind, target=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def test_names_are_keys_and_never_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["../../outside.png", "/etc/passwd.png", "a/../b.png", "n\n\xe9.PNG"]
    names.append("x" * 300 + ".png")
    links = [
        special("link.png", tarfile.SYMTYPE, "/etc/passwd"),
        special("hard.png", tarfile.LNKTYPE, "/etc/passwd"),
        special("pipe.png", tarfile.FIFOTYPE),
        special("folder.png", tarfile.DIRTYPE),
    ]
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        images = TarImages(write("a.tar", *names, *links, "a.cls", "README", format=form))
        assert [images.key(index) for index in range(len(images))] == [f"a.tar/{n}" for n in names]
        for index in range(len(images)):
            np.testing.assert_array_equal(images[index][..., 0], ARRAY)
    assert os.listdir(tmp_path) == ["a.tar"]


def test_shards_follow_each_other(tmp_path):
    shards = [write(tmp_path / f"{n}.tar", *(f"{n}{m}.png" for m in range(n))) for n in (2, 0, 3)]
    images = TarImages(shards)
    found = [images.key(index).removeprefix(f"{tmp_path}/") for index in range(5)]
    assert found == ["2.tar/20.png", "2.tar/21.png", "3.tar/30.png", "3.tar/31.png", "3.tar/32.png"]
    assert images.file(4) == str(shards[2])
    assert images.path(4) is None


@pytest.mark.parametrize("n_bytes", [3, 700, 1024 + 512 + 20, 2 * 1024 - 300, 2 * 1024 + 99])
def test_a_truncated_archive_is_refused(tmp_path, n_bytes):
    assert len(PNG) <= 512
    path = write(tmp_path / "a.tar", *(f"{number}.png" for number in range(5)))
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(ValueError, match=r"Cannot read '.*a\.tar'.*not compressed"):
        TarImages(path)


def test_an_archive_that_is_none_or_compressed_is_refused(tmp_path):
    (tmp_path / "a.tar").write_bytes(os.urandom(5000))
    with tarfile.open(tmp_path / "b.tar", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a.png"))
    for name in "ab":
        with pytest.raises(ValueError, match="Expected a tar archive that is not compressed"):
            TarImages(tmp_path / f"{name}.tar")


@pytest.mark.parametrize("size", [-1024, -512, 2**40, 2**62])
def test_sizes_that_lie_end_in_an_error_and_in_no_loop(tmp_path, size):
    member = tarfile.TarInfo("a.png")
    member.size = size
    header = member.tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "a.tar").write_bytes(header + PNG.ljust(512, b"\0") + header + bytes(1024))
    with pytest.raises(ValueError, match=r"Cannot read '.*a\.tar'"):
        TarImages(tmp_path / "a.tar")


def test_a_damaged_image_is_an_error_with_its_key(tmp_path):
    images = TarImages(write(tmp_path / "a.tar", "a.png", data=PNG[:20]))
    for read in (images.__getitem__, images.header):
        with pytest.raises(ValueError, match=r"Cannot read '.*a\.tar/a\.png': "):
            read(0)


def test_an_archive_that_shrinks_is_an_error(tmp_path):
    path = write(tmp_path / "a.tar", "a.png", "b.png")
    images = TarImages(path)
    path.write_bytes(path.read_bytes()[: 1024 + 512 + 40])
    with pytest.raises(ValueError, match=r"a\.tar/b\.png': the archive ends after 40 of its"):
        images[1]
