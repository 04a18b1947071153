"""Files of weights against torch's own reading, and what is refused of them before it is read."""

import io
import json
import os
import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from segclf.networks import classification_network, read_tensors
from segclf.networks.stored_tensors import stored_tensors

KINDS = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.bool]
KINDS += [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
NEWER = [torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2]


@pytest.fixture(params=[True, False], ids=["zip", "before 1.6"])
def written(request, tmp_path):
    """Save as torch does today, or did."""

    def write(value):
        path = tmp_path / "weights.pth"
        torch.save(value, path, _use_new_zipfile_serialization=request.param)
        return path

    return write


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].shape == tensor.shape
        assert torch.equal(found[name].double(), tensor.double()), name


def test_what_torch_reads(written):
    base = torch.arange(24.0).reshape(4, 6)
    flat = {str(kind): (torch.arange(6) % 5).to(kind) for kind in KINDS if not kind.is_complex}
    flat |= {"transposed": base.T, "part": base[1:3, ::2], "expanded": base[:1].expand(4, 6)}
    flat |= {"number": torch.tensor(3.5), "empty": torch.zeros(0, 3), "whole": base, "twice": base}
    flat["images"] = torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last)
    flat["parameter"] = nn.Parameter(torch.ones(2))
    found = read_tensors(written(OrderedDict(flat)))
    assert_same(found, {name: tensor.detach() for name, tensor in flat.items()})


def test_newer_kinds_of_numbers(tmp_path):
    flat = {str(kind): torch.arange(4).to(kind) for kind in NEWER}
    torch.save(flat, tmp_path / "weights.pth")
    assert_same(read_tensors(tmp_path / "weights.pth"), flat)


def test_nested_and_plain_values(written):
    state = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).state_dict()
    plain = {
        "when": b"now",
        "sizes": torch.Size([1]),
        "on": torch.device("cpu"),
        "dtype": torch.half,
    }
    plain |= {"text": "ä", "set": {1, 2}, "list": [1, (2.5, None)], "long": 2**70, "c": 1j}
    found = read_tensors(written({"epoch": 3, 7: {"state": state}, "args": plain}))
    assert_same(found, {f"7.state.{name}": tensor for name, tensor in state.items()})


def test_safetensors(tmp_path):
    kinds = [kind for kind in KINDS + NEWER if not kind.is_complex]
    flat = {str(kind): (torch.arange(6) % 5).to(kind) for kind in kinds} | {"e": torch.zeros(0)}
    save_file(flat, tmp_path / "weights.safetensors")
    expected = load_file(tmp_path / "weights.safetensors")
    assert_same(read_tensors(tmp_path / "weights.safetensors"), expected)


def test_only_what_is_wanted_is_read(tmp_path):
    state = classification_network(encoder="tiny").encoder.state_dict()
    path = tmp_path / "weights.pth"
    torch.save({"encoder": state, "head": torch.full((1000,), np.nan)}, path)
    found = stored_tensors(path)
    assert found["head"].meta.device.type == "meta"
    network = classification_network(encoder="tiny", encoder_weights=path)
    assert torch.equal(
        network.encoder.state_dict()["stages.0.0.weight"], state["stages.0.0.weight"]
    )


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(tmp_path, suffix, value):
    state = classification_network(encoder="tiny").encoder.state_dict()
    state["stages.1.0.bias"][2] = value
    path = tmp_path / f"weights.{suffix}"
    (save_file if suffix == "safetensors" else torch.save)(dict(state), path)
    with pytest.raises(ValueError, match=rf"weights\.{suffix} holds NaN or infinity in stages\.1"):
        classification_network(encoder="tiny", encoder_weights=path)


def program(*parts):
    return b"\x80\x02" + b"".join(parts) + b"."


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def storage(key="0", length=4, kind="FloatStorage"):
    number = b"J" + struct.pack("<i", length)
    name = f"ctorch\n{kind}\n".encode()
    return b"(" + text("storage") + name + text(key) + text("cpu") + number + b"tQ"


def tensor(shape=b"(K\x04t", stride=b"(K\x01t", offset=b"K\x00", **of_storage):
    name = b"ctorch._utils\n_rebuild_tensor_v2\n"
    rest = b"\x89ccollections\nOrderedDict\n)R"
    return name + b"(" + storage(**of_storage) + offset + shape + stride + rest + b"tR"


def state(content):
    return program(b"}", text("weight"), content, b"s")


def archive(content, *, data=bytes(16), packed=False, more=(), order=b"little"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if packed else 0) as file:
        records = [("data.pkl", content), ("data/0", data), ("byteorder", order)]
        records += [("version", b"3\n"), *more]
        for name, each in records:
            file.writestr(f"weights/{name}", each)
    return buffer.getvalue()


def refusal(tmp_path, content, name="weights.pth"):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name} cannot be read as weights: ") as caught:
        read_tensors(tmp_path / name)
    return str(caught.value)


def test_the_pickles_made_here_are_like_torch_s(tmp_path):
    (tmp_path / "weights.pth").write_bytes(archive(state(tensor())))
    assert_same(read_tensors(tmp_path / "weights.pth"), {"weight": torch.zeros(4)})
    assert_same(torch.load(tmp_path / "weights.pth"), {"weight": torch.zeros(4)})


DEEP = b"}" + b"q\x00" + (b"}" + text("a") + b"h\x00s" + text("b") + b"h\x00sq\x00") * 40
SAME = text("a") + b"h\x01s"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (program(b"cos\nsystem\n(", text("true"), b"tR"), "names os.system"),
        (program(b"cbuiltins\neval\n(", text("1"), b"tR"), "names builtins.eval"),
        (program(b"ctorch\nhub\n(", text("load"), b"tR"), "calls Name"),
        (program(b"ctorch\nFloatStorage\n(J\x00\x00\x00\x7ftR"), "calls Name"),
        (program(b"ctorch\nTensor\n(J\x00\x00\x00\x7ftR"), "calls Name"),
        (program(b"\x96" + struct.pack("<Q", 2**40)), "bytes"),
        (program(b"X" + struct.pack("<I", 2**31)), "value of 2147483648 bytes"),
        (program(b"cos\nsystem\nq\x00)\x81"), "names os.system"),
        (program(b"]", b"(", b"K\x01", b"u"), "not a dict"),
        (program(b"b"), "value that does not exist"),
        (program(b"]K\x01b"), "changes a value that is not a dict"),
        (program(b"}", b"K\x01\x85\x85", b"K\x01s"), "a key of type tuple"),
        (program(b"0" * 9), "no file of weights needs"),
        (b"\x80\x02}", "pickle exhausted before seeing STOP"),
        (program(DEEP), "nests more names"),
        (state(tensor(shape=b"(K\x05t")), "reaches beyond its storage"),
        (state(tensor(offset=b"K\x01")), "reaches beyond its storage"),
        (state(tensor(stride=b"(J\xff\xff\xff\xfft")), "of shape"),
        (state(tensor(shape=b"(K\x02K\x02t")), "of shape"),
        (state(tensor(shape=b"(\x8a\x08" + bytes(7) + b"\x40t", stride=b"(K\x00t")), "would take"),
        (state(tensor(key="1")), "does not have the declared"),
        (state(tensor(length=2**31 - 1)), "does not have the declared"),
        (state(tensor(kind="QInt8Storage")), "QInt8Storage"),
    ],
)  # fmt: skip
def test_pickles_that_do_more_than_describe(content, message, tmp_path):
    assert message in refusal(tmp_path, archive(content))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": bytes(10**7), "packed": True}, "is compressed"),
        ({"order": b"big"}, "byte order"),
        ({"more": [("constants.pkl", b"")]}, "not one of tensors"),
        ({"more": [("more/data.pkl", b"")]}, "not one of tensors"),
    ],
)
def test_zips_that_torch_does_not_write(changes, message, tmp_path):
    assert message in refusal(tmp_path, archive(state(tensor()), **changes))


def test_records_that_overlap(tmp_path):
    """A thousand records that are all the same megabyte."""
    content = archive(state(tensor()), more=[("data/1", bytes(10**6))])
    body, end = content[:-22], bytearray(content[-22:])
    entry = body[body.rindex(b"PK\x01\x02") :]
    many = b"".join(entry.replace(b"data/1", b"%06d" % number) for number in range(1000))
    end[12:16] = struct.pack("<I", int.from_bytes(end[12:16], "little") + len(many))
    assert "records should have" in refusal(tmp_path, body + many + end)


def test_a_storage_that_was_changed(tmp_path):
    content = bytearray(archive(state(tensor()), data=b"0123456789abcdef"))
    content[content.index(b"0123456789abcdef")] ^= 1
    assert "checksum" in refusal(tmp_path, bytes(content))


@pytest.mark.parametrize("cut", [1, 8, 40, 300])
@pytest.mark.parametrize("zipped", [True, False])
def test_cut_short(tmp_path, cut, zipped):
    path = tmp_path / "whole.pth"
    torch.save({"weight": torch.rand(50)}, path, _use_new_zipfile_serialization=zipped)
    refusal(tmp_path, path.read_bytes()[:-cut])


def test_names_that_hold_one_another(tmp_path):
    around = {}
    around["itself"] = around
    buffer = io.BytesIO()
    pickle.dump(around, buffer, protocol=2)
    assert "nests more names" in refusal(tmp_path, archive(buffer.getvalue()))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}}, "does not match its"),
        ({"a": {"dtype": "F4", "shape": [1], "data_offsets": [0, 4]}}, "F4"),
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, "should have 8 bytes"),
    ],
)
def test_safetensors_that_say_what_is_not_so(header, message, tmp_path):
    head = json.dumps(header).encode()
    content = struct.pack("<Q", len(head)) + head + bytes(4)
    assert message in refusal(tmp_path, content, "weights.safetensors")
    long = struct.pack("<Q", 9_000_000) + b" " * 9_000_000
    assert "header should have" in refusal(tmp_path, long, "weights.safetensors")


def test_pipes_and_devices(tmp_path):
    os.mkfifo(tmp_path / "pipe.pth")
    for path in (tmp_path / "pipe.pth", "/dev/zero", tmp_path):
        with pytest.raises(
            ValueError, match=f"{path} cannot be read as weights.*not a regular file"
        ):
            read_tensors(path)
        with pytest.raises(FileNotFoundError, match=f"{path}' is not a regular file"):
            classification_network(encoder="tiny", encoder_weights=path)


def test_too_large_for_the_encoder(tmp_path):
    path = tmp_path / "weights.pth"
    with open(path, "wb") as file:
        file.truncate(2**31)  # of no blocks
    with pytest.raises(ValueError, match=r"weights\.pth has 2147483648 bytes, and the encoder"):
        classification_network(encoder="tiny", encoder_weights=path)
