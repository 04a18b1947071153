import errno

import pytest

from benchmarks.shared.disk_trouble import CALLS, disk_trouble
from segclf.data import KeptFolder

NAME = "ab" * 20


def refuse():
    raise AssertionError("the disk is full, so that this is made for nothing")


@pytest.mark.parametrize("call", [call for call in CALLS if call != "chmod"])
def test_it_says_once_that_nothing_more_is_kept(call, tmp_path):
    folder = KeptFolder(tmp_path / "kept")
    folder.keep(NAME, lambda: b"before")
    with disk_trouble(errno.ENOSPC, at=call):
        with pytest.warns(UserWarning, match=r"in \S*kept: No space left on device$"):
            folder.below("inner").keep(NAME, lambda: b"full")
        for other in (folder, folder.below("outer")):
            other.keep("cd" * 20, refuse)
        KeptFolder(tmp_path / "kept").keep("cd" * 20, lambda: b"the next fit, which warns no more")
    assert folder.file(NAME).read_bytes() == b"before"
    assert len([each for each in tmp_path.rglob("*") if each.is_file()]) == 1
    KeptFolder(tmp_path / "kept").keep("cd" * 20, lambda: b"room again")
    again = KeptFolder(tmp_path / "kept")
    with disk_trouble(errno.ENOSPC, at=call), pytest.warns(UserWarning, match="No space left"):
        again.keep("ef" * 20, lambda: b"full again")


def test_what_cannot_be_made_is_no_trouble_of_the_disk(tmp_path):
    def fail():
        raise TypeError("no such file")

    folder = KeptFolder(tmp_path)
    with pytest.warns(UserWarning, match="no such file"):
        folder.below("one").keep(NAME, fail)
    folder.below("other").keep(NAME, lambda: b"kept")
    assert folder.below("other").file(NAME).read_bytes() == b"kept"
