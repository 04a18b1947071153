"""Whole or not at all, whatever stands in the way."""

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.shared.disk_trouble import CALLS, disk_trouble
from segclf.data import _atomic_write, atomic_write

ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EACCES, errno.EROFS}


def test_it_replaces_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "file"
    for content in (b"one", [b"two", b" parts"], b""):
        atomic_write(path, content)
        assert path.read_bytes() == b"".join(content if isinstance(content, list) else [content])
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("code", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize("call", CALLS)
def test_trouble_at_each_call_leaves_the_old_file(call, code, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with disk_trouble(code, at=call), pytest.raises(OSError, match=r"4,321 bytes.*file") as caught:
        atomic_write(path, bytes(4321))
    assert caught.value.errno == code
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_that_cannot_be_synced_costs_nothing(tmp_path, monkeypatch):
    synced = []

    def sync(descriptor):
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        if synced[-1]:
            raise OSError(errno.EINVAL, "no folders")

    monkeypatch.setattr("segclf.data._atomic_write.os.fsync", sync)
    atomic_write(tmp_path / "file", b"new")
    assert synced == [False, True], "the file before its folder"
    assert (tmp_path / "file").read_bytes() == b"new"
    atomic_write(tmp_path / "file", b"newer", sync=False)
    assert len(synced) == 2


def test_an_error_of_who_makes_the_content_is_left_as_it_is(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def content():
        yield b"some"
        raise OSError("not of this file")

    with pytest.raises(OSError, match=r"^not of this file$"):
        atomic_write(path, content())
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_mode_bits(tmp_path):
    path = tmp_path / "file"
    before = os.umask(0o027)
    try:
        atomic_write(path, b"new")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        for mode in (0o600, 0o666, 0o754):
            path.chmod(mode)
            atomic_write(path, b"newer")
            assert stat.S_IMODE(path.stat().st_mode) == mode
    finally:
        os.umask(before)


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_and_its_target_is_replaced(exists, tmp_path):
    target, link = tmp_path / "elsewhere" / "file", tmp_path / "link"
    target.parent.mkdir()
    if exists:
        target.write_bytes(b"old")
    link.symlink_to("elsewhere/file")
    atomic_write(link, b"new")
    assert os.readlink(link) == "elsewhere/file"
    assert target.read_bytes() == b"new"


def test_what_is_no_regular_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path / "pipe", tmp_path / "folder", tmp_path / "loop", "/dev/null"):
        with pytest.raises(OSError, match=str(path)):
            atomic_write(path, b"new")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert len(os.listdir(tmp_path)) == 3


def test_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere.*3 bytes.*file"):
        atomic_write(tmp_path / "nowhere" / "file", b"new")


@contextmanager
def nobody():
    """Be no root, who may write anywhere."""
    if os.getuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_no_permission():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.write_bytes(b"old")
        for mode in (0o444, 0o666):
            path.chmod(mode)
            os.chmod(folder, 0o555)
            message = "read-only" if mode == 0o444 else "the folder .* is not writable"
            with nobody(), pytest.raises(PermissionError, match=message):
                atomic_write(path, b"new")
            assert path.read_bytes() == b"old"
        os.chmod(folder, 0o700)


def test_a_name_as_long_as_names_may_be(tmp_path):
    atomic_write(tmp_path / ("ä" * 127), b"new")
    assert len(os.listdir(tmp_path)) == 1


# Without what takes long to import: that file imports nothing of ours.
KILLED = f"""
import os, runpy, signal, sys
atomic_write = runpy.run_path({_atomic_write.__file__!r})["atomic_write"]

def content():
    yield b"half"
    os.kill(os.getpid(), signal.SIGKILL)

atomic_write(sys.argv[1], content())
"""


def test_what_a_killed_process_left_is_removed(tmp_path):
    path, other = tmp_path / "file", tmp_path / "other"
    for each in (path, other):
        each.write_bytes(b"old")
        ended = subprocess.run([sys.executable, "-c", KILLED, str(each)], check=False)
        assert ended.returncode == -signal.SIGKILL
        assert each.read_bytes() == b"old"
    assert len(os.listdir(tmp_path)) == 4
    atomic_write(path, b"new")
    (left,) = set(os.listdir(tmp_path)) - {"file", "other"}
    start = os.path.basename(_atomic_write._prefix(str(other)))
    assert left.startswith(start), "what is left of another file stays"


def test_what_another_is_writing_is_left_alone(tmp_path):
    path = tmp_path / "file"

    def slow():
        yield b"slow"
        atomic_write(path, b"fast")
        yield b", and whole"

    atomic_write(path, slow())
    assert path.read_bytes() == b"slow, and whole"
    assert os.listdir(tmp_path) == ["file"]


def test_what_another_machine_is_writing_is_left_alone(tmp_path, monkeypatch):
    """A lock that it holds may be seen by itself alone."""
    path = tmp_path / "file"

    def slow():
        yield b"slow"
        monkeypatch.setattr("platform.node", lambda: "elsewhere")
        monkeypatch.setattr(_atomic_write, "flock", lambda *_: None)
        atomic_write(path, b"fast")
        assert path.read_bytes() == b"fast"
        yield b", and whole"

    atomic_write(path, slow())
    assert path.read_bytes() == b"slow, and whole"
    assert os.listdir(tmp_path) == ["file"]


def test_many_write_one_file(tmp_path):
    path = tmp_path / "file"
    contents = [bytes([number]) * 1000 for number in range(4)]
    writes = [
        threading.Thread(target=lambda c=c: [atomic_write(path, c, sync=False) for _ in range(20)])
        for c in contents
    ]
    for each in writes:
        each.start()
    for each in writes:
        each.join()
    assert path.read_bytes() in contents
    assert os.listdir(tmp_path) == ["file"]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("nothing may be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_full(small_disk):
    path = small_disk / "file"
    atomic_write(path, b"old" * 1000)
    for content in (bytes(100_000), [bytes(40_000)] * 2):
        with pytest.raises(OSError, match=r"No space.* bytes are needed; [\d,]+ bytes are free"):
            atomic_write(path, content)
        assert path.read_bytes() == b"old" * 1000
        assert os.listdir(small_disk) == ["file"]
