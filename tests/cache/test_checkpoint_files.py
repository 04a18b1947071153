"""Files of states: bit for bit, in the order of memory, and of nothing but numbers and texts."""

import os

import pytest
import torch

from segclf import SupervisedSegmenter
from segclf.cache import CheckpointFiles, checkpoint_files
from segclf.persistence import write_value
from segclf.training import Place

PLACE = Place(12, 3, False)
TENSORS = [
    torch.tensor(1.5),
    torch.arange(6).reshape(2, 3).T,
    torch.rand(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
    torch.rand(3, 1, 1, 1),
    torch.rand(4).bfloat16(),
    torch.rand(4).half(),
    torch.tensor([True, False]),
    torch.tensor([float("inf"), float("nan")]),
    torch.arange(5, dtype=torch.uint8),
]


@pytest.fixture
def files(tmp_path):
    return CheckpointFiles(tmp_path / "Kind", "key")


def test_values_come_back(files):
    values = {
        "numbers": [1, 2.5, float("inf"), None, True],
        "betas": (0.9, 0.999),
        "by number": {0: {"text": "x"}, 1: {}},
    }
    files.write(PLACE, values)
    assert files.read(PLACE) == values
    assert files.places() == [PLACE]


def test_tensors_come_back_as_they_lie_in_memory(files):
    files.write(PLACE, {"tensors": TENSORS})
    for tensor, read in zip(TENSORS, files.read(PLACE)["tensors"], strict=True):
        assert read.dtype == tensor.dtype
        assert read.shape == tensor.shape
        assert read.stride() == tensor.stride()
        assert torch.equal(read.nan_to_num(), tensor.nan_to_num())
        assert read.data_ptr() % 16 == 0


@pytest.mark.parametrize("value", [SupervisedSegmenter(), os.path.join, [SupervisedSegmenter]])
def test_a_file_that_names_a_class_or_code_is_refused(files, value):
    files.folder.mkdir(parents=True)
    path = files._path(PLACE)
    try:
        write_value({"state": value}, path, "a stranger's")
    except TypeError:
        pytest.skip("no file holds it")
    with pytest.raises(ValueError, match=r"names .* expected only numbers, text and arrays"):
        files.read(PLACE)


@pytest.mark.parametrize("dtype", ["nn", "load", "no_such_type", "__builtins__"])
def test_a_file_cannot_name_what_is_no_type_of_numbers(files, dtype):
    files.folder.mkdir(parents=True)
    array = torch.zeros(2).numpy()
    write_value({"x": ("tensor", array, [0], dtype)}, files._path(PLACE), "a stranger's")
    with pytest.raises((ValueError, AttributeError)):
        files.read(PLACE)


def test_other_files_are_not_counted(files):
    files.write(PLACE, {})
    for name in ("notes.txt", "12-4.safetensors.part", ".12-4.safetensors.1a", "a-1.safetensors"):
        (files.folder / name).touch()
    assert files.places() == [PLACE]


def test_what_an_earlier_process_left_half_written_is_removed(files):
    files.write(PLACE, {})
    old, new = files.folder / ".12-4.safetensors.1a", files.folder / ".12-4.safetensors.2b"
    for path in (old, new):
        path.touch()
    os.utime(old, (0, 0))
    files.remove([])
    assert not old.exists()
    assert new.exists()


def test_unfinished_are_those_that_nobody_trains(tmp_path):
    ours, theirs, done, empty = (
        CheckpointFiles(tmp_path, name) for name in ("ours", "theirs", "done", "empty")
    )
    with ours:
        for each in (ours, theirs):
            each.write(PLACE, {})
        done.write(PLACE._replace(done=True), {})
        empty.folder.mkdir()
        assert CheckpointFiles(tmp_path, "new").unfinished() == [theirs.folder]
    assert CheckpointFiles(tmp_path, "new").unfinished() == [ours.folder, theirs.folder]


def test_another_process_may_be_training_what_changed_since_this_one_began(tmp_path, monkeypatch):
    files = CheckpointFiles(tmp_path, "theirs")
    files.write(PLACE, {})
    monkeypatch.setattr(checkpoint_files, "_ours", set())
    other = CheckpointFiles(tmp_path, "new")
    assert other.unfinished() == []
    os.utime(files.folder, (0, 0))
    assert other.unfinished() == [files.folder]


def test_nothing_is_changed_through_a_link_that_leads_out(files, tmp_path):
    outside = tmp_path.with_name(f"{tmp_path.name}-outside")
    outside.mkdir()
    old = outside / ".old"
    old.write_text("not yours")
    os.utime(old, (0, 0))
    files.folder.parent.mkdir()
    files.folder.symlink_to(outside)
    with pytest.raises(OSError, match="leads out of"):
        files.write(PLACE, {})
    with pytest.raises(OSError, match="leads out of"):
        files.remove([])
    assert list(outside.iterdir()) == [old]
