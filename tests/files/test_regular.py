"""Regular files are opened, and nothing through a link that leads elsewhere is changed."""

import os

import pytest

from segclf.files import open_regular, require_inside


def test_a_regular_file_is_opened(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for name in ("file", "link"):
        with open_regular(tmp_path / name) as file:
            assert file.read() == b"content"


def test_others_are_not(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero", tmp_path):
        with pytest.raises(ValueError, match="not a regular file"):
            open_regular(path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        open_regular(tmp_path / "nowhere")


def test_links_that_lead_out(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "inside-not"
    inside.mkdir()
    outside.mkdir()
    (inside / "out").symlink_to(outside)
    (tmp_path / "other").symlink_to(inside)
    require_inside(inside / "a" / "b", inside)
    require_inside(inside / "a", tmp_path / "other")
    for path in (inside / "out", inside / "out" / "a", inside / ".." / "a", outside):
        with pytest.raises(OSError, match="leads out of"):
            require_inside(path, inside)
