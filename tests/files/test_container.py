"""Files that say of themselves what is not so; each ends in an error that names it."""

import json
import os
import struct

import numpy as np
import pytest
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression

from segclf import load, save
from segclf.files import read_container


def written(path, header, content=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content)
    return path


def entry(shape, stop, dtype="F32", start=0):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def test_it_reads_what_safetensors_writes(tmp_path):
    arrays = {
        str(dtype): np.arange(6).reshape(2, 3).astype(dtype)
        for dtype in ("?", "i1", "u1", "i2", "u2", "f2", "i4", "u4", "f4", "i8", "u8", "f8", "c8")
    }
    arrays["empty"], arrays["number"] = np.zeros((0, 3), "f4"), np.array(3.0)
    save_file(arrays, tmp_path / "file", metadata={"a": "b"})
    metadata, found = read_container(tmp_path / "file")
    assert metadata == {"a": "b"}
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


@pytest.mark.parametrize(
    ("header", "content", "message"),
    [
        ({"a": entry([2], 8)}, b"1234", "should have 8 bytes"),
        ({"a": entry([2], 8)}, b"0" * 12, "should have 8 bytes"),
        ({"a": entry([1], 4), "b": entry([1], 4)}, b"1234", "overlap"),
        ({"a": entry([1], 8, start=4)}, b"0" * 8, "leave gaps"),
        ({"a": entry([2**40], 4)}, b"1234", "does not match its bytes"),
        ({"a": entry([2**40, 0], 4)}, b"1234", "does not match its bytes"),
        ({"a": entry([-1, -1], 4)}, b"1234", "shape"),
        ({"a": entry([1.0], 4)}, b"1234", "shape"),
        ({"a": entry([True], 4)}, b"1234", "shape"),
        ({"a": entry([2], 4, "BF16")}, b"1234", "BF16"),
        ({"a": entry([4], 4, "F8_E4M3")}, b"1234", "F8_E4M3"),
        (b'{"a": 1, "a": 2}', b"", "twice"),
        (b'{"__metadata__": {"b": "1", "b": "2"}}', b"", "twice"),
        (b'{"__metadata__": []}', b"", "metadata"),
        (b"[]", b"", "not a JSON object"),
        (b"{", b"", "Expecting"),
        (b'{"a":' + b"[" * 100_000, b"", "recursion"),
        (b'{"a": ' + b"9" * 10_000 + b"}", b"", "digits"),
    ],
)
def test_what_does_not_fit(header, content, message, tmp_path):
    path = written(tmp_path / "model.safetensors", header, content)
    with pytest.raises(ValueError, match=rf"model\.safetensors is not a file .*{message}"):
        load(path)


@pytest.mark.parametrize("content", [b"", b"1234", struct.pack("<Q", 2**60), b"\xff" * 9])
def test_too_short(content, tmp_path):
    (tmp_path / "short").write_bytes(content)
    with pytest.raises(ValueError, match=r"short is not a file that segclf\.save wrote"):
        load(tmp_path / "short")


def test_no_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero", tmp_path):
        with pytest.raises(ValueError, match=f"{path} is not a file .*not a regular file"):
            load(path)


def test_the_header_is_covered_by_the_checksum(tmp_path):
    path = tmp_path / "saved"
    save(LogisticRegression(C=0.25), path)
    path.write_bytes(path.read_bytes().replace(b"0.25", b"0.75"))
    with pytest.raises(ValueError, match="saved is damaged"):
        load(path)
