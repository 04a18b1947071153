"""Hostile model files, made with knowledge of how `load` works."""

import contextlib
import io
import json
import os
import pickle
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load as unpack
from safetensors.numpy import save as pack
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.hostile.worker import Case
from segclf import ImageClassifier, SegmentationClassifier, load, save
from segclf.datasets import make_shapes
from segclf.networks.libraries import import_smp, import_timm
from segclf.persistence.file import _checksum
from segclf.testing.small import small_estimator

SHAPES = make_shapes(8, image_size=16, n_objects=2, target_radius=4, random_state=0)
ROWS = SHAPES.images.reshape(8, -1)[:, :20].astype(float)
NAME = "model.safetensors"
Header = dict[str, Any]
Arrays = dict[str, np.ndarray]


class Payload:
    """Leaves a marker where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.environ["HOSTILE_MARKER"],)


def prepare(folder: Path) -> dict[str, bytes]:
    """Save honest models, whose contents are changed."""
    import_timm()
    import_smp()
    if not folder.exists():
        folder.mkdir()
        for name, model in _models().items():
            save(model, folder / name)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _models() -> dict[str, Any]:
    images, labels = SHAPES.images, SHAPES.target
    network = small_estimator(ImageClassifier, max_epochs=1).fit(images, labels)
    segmentation = small_estimator(SegmentationClassifier, max_epochs=1)
    segmentation.set_params(summarizer="mask_features")
    forest = RandomForestClassifier(n_estimators=3, random_state=0)
    return {
        "boosting": HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=1).fit(
            ROWS, labels
        ),
        "forest": make_pipeline(StandardScaler(), forest).fit(ROWS, labels),
        "network": network,
        "segmentation": segmentation.fit(images, labels, masks=SHAPES.masks),
    }


def make(honest: dict[str, bytes], folder: Path, number: int, rng: np.random.Generator) -> Case:
    families = {**BYTES, **HEADERS, **VALUES}
    family = list(families)[number % len(families)]
    model = list(honest)[number // len(families) % len(honest)] if family in BYTES else None
    if number < 0:
        (folder / NAME).write_bytes(honest["segmentation"])
        return Case("honest", NAME, "segmentation")
    if family in BYTES:
        content = BYTES[family](honest[model], rng)
    elif family in HEADERS:
        model = list(honest)[number // len(families) % len(honest)]
        content = _with_container(honest[model], HEADERS[family], rng)
    else:
        change, models = VALUES[family]
        model = models[number // len(families) % len(models)]
        content = _with_header(honest[model], change, rng, folder)
    if isinstance(content, bytes):
        (folder / NAME).write_bytes(content)
    else:
        content(folder / NAME)
    return Case(family, NAME, model)


def run(honest: dict[str, bytes], folder: Path, case: Case) -> str:
    model = load(folder / NAME)
    given = ROWS if case.more in ("boosting", "forest") else SHAPES.images
    with contextlib.suppress(Exception):  # parameters that `fit` would refuse; it must end
        model.predict(given)
    return "accepted"


# The bytes of the whole file.


def _cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(0, len(data)))]


def _flipped(data: bytes, rng: np.random.Generator) -> bytes:
    out = bytearray(data)
    for place in rng.integers(0, len(data), int(rng.integers(1, 9))):
        out[int(place)] ^= 1 << int(rng.integers(8))
    return bytes(out)


def _flipped_header(data: bytes, rng: np.random.Generator) -> bytes:
    length = 8 + int.from_bytes(data[:8], "little")
    return _flipped(data[:length], rng) + data[length:]


def _length(data: bytes, rng: np.random.Generator) -> bytes:
    lengths = [0, 1, 7, 2**20, 2**31, 2**40, 2**63, 2**64 - 1, len(data) - 8, len(data)]
    return struct.pack("<Q", int(rng.choice(np.array(lengths, np.uint64)))) + data[8:]


def _bare(header: bytes | Any, content: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content


def _entry(shape: Any, n_bytes: Any, dtype: Any = "F32") -> Header:
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": [0, n_bytes]}}


def _text(data: bytes, rng: np.random.Generator) -> bytes:
    texts = [b"{", b"[]", b"null", b'"a"', b"\xff\xfe{}", b"{}" * 9, b'{"a":1}', b'{"a":{}}']
    texts += [b'{"__metadata__":{"segclf":"null"}}', b'{"__metadata__":{"segclf":"{"}}']
    texts += [b'{"__metadata__":{"segclf":1}}', b'{"__metadata__":{"segclf":{}}}', b'{"a":NaN}']
    return _bare(texts[int(rng.integers(len(texts)))])


def _nested(data: bytes, rng: np.random.Generator) -> bytes:
    depth = int(rng.choice([500, 5_000, 100_000]))
    opening, closing = (b"[", b"]") if rng.integers(2) else (b'{"a":', b"}")
    inside = opening * depth + b"1" + closing * depth
    if rng.integers(2):
        return _bare(b'{"a":' + inside + b"}")
    metadata = json.dumps({"segclf": inside.decode()})
    return _bare(b'{"__metadata__":' + metadata.encode() + b"}")


def _digits(data: bytes, rng: np.random.Generator) -> bytes:
    number = b"9" * int(rng.choice([400, 4_000, 400_000]))
    return _bare(b'{"a":{"dtype":"F32","shape":[' + number + b'],"data_offsets":[0,4]}}', bytes(4))


def _shape(data: bytes, rng: np.random.Generator) -> bytes:
    shapes = [[2**40], [2**62, 2**62], [2**40, 0], [-1], [-1, -4], [1.0], [True], ["1"], None, 1]
    shapes += [[[1]], [2**63], [2**64], [1] * 100, [1] * 100_000, {}, "ab", [None]]
    return _bare(_entry(shapes[int(rng.integers(len(shapes)))], 4), bytes(4))


def _offsets(data: bytes, rng: np.random.Generator) -> bytes:
    offsets = [
        [0],
        [4, 0],
        [0, 8],
        [-4, 0],
        [0.0, 4.0],
        ["0", "4"],
        None,
        [0, 4, 8],
        [1, 5],
        [0, 2**70],
    ]
    entry = {"dtype": "F32", "shape": [1], "data_offsets": offsets[int(rng.integers(len(offsets)))]}
    return _bare({"a": entry, "b": {**entry}} if rng.integers(2) else {"a": entry}, bytes(4))


def _dtype(data: bytes, rng: np.random.Generator) -> bytes:
    kinds = [
        "BF16",
        "F8_E4M3",
        "F8_E5M2",
        "F4",
        "f4",
        "O",
        "U8x",
        "",
        None,
        3,
        ["F32"],
        "object",
        "V8",
    ]
    return _bare(_entry([2], 4, kinds[int(rng.integers(len(kinds)))]), bytes(4))


def _twice(data: bytes, rng: np.random.Generator) -> bytes:
    entry = json.dumps(_entry([1], 4)["a"]).encode()
    return _bare(b'{"a":' + entry + b',"a":' + entry + b"}", bytes(4))


def _many(data: bytes, rng: np.random.Generator) -> bytes:
    """A hundred thousand empty arrays."""
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    return _bare({str(number): entry for number in range(20_000)})


def _pickled(data: bytes, rng: np.random.Generator) -> bytes:
    protocol = int(rng.integers(0, 6))
    return pickle.dumps(Payload(), protocol)


def _joblib(data: bytes, rng: np.random.Generator) -> bytes:
    return b"ZF" + zlib.compress(pickle.dumps(Payload()))


def _torch(data: bytes, rng: np.random.Generator) -> bytes:
    file = io.BytesIO()
    torch.save({"a": Payload()}, file)
    return file.getvalue()


def _no_file(kind: str) -> Callable[..., Callable[[Path], Any]]:
    makers = {
        "pipe": os.mkfifo,
        "device": lambda path: path.symlink_to("/dev/zero"),
        "folder": lambda path: path.mkdir(),
        "itself": lambda path: path.symlink_to(path),
        "sparse": _sparse,
    }
    return lambda data, rng: makers[kind]


def _sparse(path: Path) -> None:
    """A header of 20 MB that the file has, of no blocks."""
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", 20_000_000))
        file.truncate(20_000_008)


BYTES: dict[str, Callable[..., Any]] = {
    "cut": _cut,
    "flipped": _flipped,
    "flipped header": _flipped_header,
    "length of the header": _length,
    "random": lambda data, rng: rng.bytes(int(rng.integers(0, 5000))),
    "longer": lambda data, rng: data + rng.bytes(int(rng.integers(1, 99))),
    "no header of ours": _text,
    "nested header": _nested,
    "long numbers": _digits,
    "shapes": _shape,
    "offsets": _offsets,
    "types": _dtype,
    "a name twice": _twice,
    "many arrays": _many,
    "pickle": _pickled,
    "joblib": _joblib,
    "torch": _torch,
    "pipe": _no_file("pipe"),
    "device": _no_file("device"),
    "folder": _no_file("folder"),
    "a link to itself": _no_file("itself"),
    "sparse": _no_file("sparse"),
}


# The header around the estimator, with and without its checksum.


def _read(data: bytes) -> tuple[Header, Arrays]:
    length = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(json.loads(data[8:length])["__metadata__"]["segclf"])
    return header, unpack(data)


def _packed(header: Header, arrays: Arrays, *, checksum: bool = True) -> bytes:
    if checksum:
        header["checksum"] = _checksum(arrays, header)
    return pack(arrays, metadata={"segclf": json.dumps(header)})


def _with_container(data: bytes, change: Callable[..., bool], rng: np.random.Generator) -> bytes:
    header, arrays = _read(data)
    return _packed(header, arrays, checksum=change(header, arrays, rng))


def _format(header: Header, arrays: Arrays, rng: np.random.Generator) -> bool:
    formats = [4, 99, -1, 0, "3", None, 3.5, [3], {"3": 3}, 10**400]
    header["format"] = formats[int(rng.integers(len(formats)))]
    return False


def _without(header: Header, arrays: Arrays, rng: np.random.Generator) -> bool:
    del header[list(header)[int(rng.integers(len(header)))]]
    return "format" in header and bool(rng.integers(2))


def _other_checksum(header: Header, arrays: Arrays, rng: np.random.Generator) -> bool:
    values = [0, -1, None, "0", 2**70, [], header["checksum"] + 1]
    header["checksum"] = values[int(rng.integers(len(values)))]
    return False


def _other_array(header: Header, arrays: Arrays, rng: np.random.Generator) -> bool:
    """Give one array other numbers, and the file a checksum that fits."""
    name = list(arrays)[int(rng.integers(len(arrays)))]
    given = arrays[name]
    others = [np.zeros(given.shape, np.int8), np.zeros((3, 5)), np.array(2), given.ravel()[:1]]
    others += [np.full(given.shape, 2**62), np.full(given.shape, -1), np.zeros((0, 7), bool)]
    others += [np.zeros((1,) * 30, "f4"), np.full(given.shape, np.nan, "f4")]
    arrays[name] = np.ascontiguousarray(others[int(rng.integers(len(others)))])
    return True


def _other_name(header: Header, arrays: Arrays, rng: np.random.Generator) -> bool:
    names = list(arrays)
    name = names[int(rng.integers(len(names)))]
    arrays[str(rng.choice(["", "x" * 5000, "../../x", "\n", names[0]]))] = arrays.pop(name)
    return True


HEADERS: dict[str, Callable[..., bool]] = {
    "format": _format,
    "without an entry": _without,
    "checksum": _other_checksum,
    "other arrays": _other_array,
    "other names": _other_name,
}


# The estimator itself, under a checksum that fits.


def _with_header(
    data: bytes, change: Callable[..., Any], rng: np.random.Generator, folder: Path
) -> bytes:
    header, arrays = _read(data)
    change(header["estimator"], arrays, rng, folder)
    return _packed(header, arrays)


def _classes(*names: str) -> Callable[..., None]:
    def change(written: Header, arrays: Arrays, rng: np.random.Generator, folder: Path) -> None:
        tags = ["$estimator", "$object", "$class", "$trusted"]
        value = {str(rng.choice(tags)): str(rng.choice(names)), "number": 99}
        value |= {"parameters": {}, "learned": {}}
        if rng.integers(2):
            written["$estimator"] = str(rng.choice(names))
        else:
            written["learned"]["extra_"] = value

    return change


def _in_folder(written: Header, arrays: Arrays, rng: np.random.Generator, folder: Path) -> None:
    """Name a module that lies beside the file, where Python looks when it is run there."""
    (folder / "helpful.py").write_text(f"import os; os.mkdir({os.environ['HOSTILE_MARKER']!r})")
    os.chdir(folder)
    written["$estimator"] = str(
        rng.choice(["helpful:Model", "sklearn.helpful:Model", "segclf..x:Y"])
    )


def _parameter(*names_and_values: tuple[str, Any]) -> Callable[..., None]:
    def change(written: Header, arrays: Arrays, rng: np.random.Generator, folder: Path) -> None:
        name, value = names_and_values[int(rng.integers(len(names_and_values)))]
        written["parameters"][name] = value

    return change


def _learned(*names_and_values: tuple[str, Any]) -> Callable[..., None]:
    def change(written: Header, arrays: Arrays, rng: np.random.Generator, folder: Path) -> None:
        name, value = names_and_values[int(rng.integers(len(names_and_values)))]
        written["learned"][name] = value

    return change


def _memory(written: Header, arrays: Arrays, rng: np.random.Generator, folder: Path) -> None:
    """Name a folder full of pickles, as joblib would have them."""
    place = folder / "joblib" / "segclf" / "cache" / "f" / ("0" * 32)
    place.mkdir(parents=True)
    (place / "output.pkl").write_bytes(pickle.dumps(Payload()))
    for each in _dicts(written):
        if "parameters" in each:
            each["parameters"]["memory"] = str(rng.choice([str(folder), "/tmp/hostile-outside"]))


def _dicts(value: Any) -> list[Header]:
    if isinstance(value, list):
        return [found for each in value for found in _dicts(each)]
    inner = (
        [found for each in value.values() for found in _dicts(each)]
        if isinstance(value, dict)
        else []
    )
    return [value, *inner] if isinstance(value, dict) else []


def _recipes(**values: list[Any]) -> Callable[..., None]:
    def change(written: Header, arrays: Arrays, rng: np.random.Generator, folder: Path) -> None:
        recipes = [each["recipe"] for each in _dicts(written) if "recipe" in each]
        name = list(values)[int(rng.integers(len(values)))]
        for recipe in recipes:
            recipe[name] = values[name][int(rng.integers(len(values[name])))]

    return change


def _weights(value: float) -> Callable[..., None]:
    def change(written: Header, arrays: Arrays, rng: np.random.Generator, folder: Path) -> None:
        names = [name for name, each in arrays.items() if each.dtype == "f4" and each.size]
        name = str(rng.choice(names))
        arrays[name] = arrays[name].copy()
        arrays[name].flat[int(rng.integers(arrays[name].size))] = value

    return change


def _tree(field: str) -> Callable[..., None]:
    def change(written: Header, arrays: Arrays, rng: np.random.Generator, folder: Path) -> None:
        for each in _dicts(written):
            layout = each.get("layout")
            if layout and field in layout["names"]:
                column = each["columns"][layout["names"].index(field)]["$array"]
                values = arrays[column].copy()
                numbers = [0, 1, -1, 10**6, 2**31 - 1, len(values)]
                number = np.array(numbers[int(rng.integers(len(numbers)))])
                values[int(rng.integers(len(values)))] = number.astype(values.dtype)
                arrays[column] = values

    return change


def _layout(written: Header, arrays: Arrays, rng: np.random.Generator, folder: Path) -> None:
    for each in _dicts(written):
        if "layout" in each:
            key = str(rng.choice(["itemsize", "offsets", "formats"]))
            values = {"itemsize": [10**9, 0, -1, 10**5], "offsets": [[0], [10**9] * 9, [-8] * 9],
                      "formats": [["O"] * 9, ["<U1000000"] * 9, ["|V9"] * 9]}  # fmt: skip
            each["layout"][key] = values[key][int(rng.integers(len(values[key])))]


def _values(tag: str, *values: Any) -> Callable[..., None]:
    def change(written: Header, arrays: Arrays, rng: np.random.Generator, folder: Path) -> None:
        written["learned"]["extra_"] = {tag: values[int(rng.integers(len(values)))]}

    return change


def _missing(written: Header, arrays: Arrays, rng: np.random.Generator, folder: Path) -> None:
    part = written[str(rng.choice(["learned", "parameters"]))]
    if part:
        del part[str(rng.choice(list(part)))]


def _any_value(written: Header, arrays: Arrays, rng: np.random.Generator, folder: Path) -> None:
    """Put something else into any place."""
    values = [
        None,
        -1,
        10**30,
        1e308,
        "",
        "x" * 10_000,
        [],
        {},
        True,
        [[]],
        {"$tuple": 1},
        {"$": 1},
    ]
    places = [(each, key) for each in _dicts(written) for key in each]
    owner, key = places[int(rng.integers(len(places)))]
    owner[key] = values[int(rng.integers(len(values)))]


def _swapped(written: Header, arrays: Arrays, rng: np.random.Generator, folder: Path) -> None:
    first, second = (str(each) for each in rng.choice(list(arrays), 2))
    arrays[first], arrays[second] = arrays[second], arrays[first]


def _deep(written: Header, arrays: Arrays, rng: np.random.Generator, folder: Path) -> None:
    value: Any = 1
    for _ in range(int(rng.choice([100, 250]))):
        value = [value] if rng.integers(2) else {"$tuple": [value]}
    written["learned"]["extra_"] = value


def _laughs(written: Header, arrays: Arrays, rng: np.random.Generator, folder: Path) -> None:
    """Texts of a length that only their type has."""
    texts = {"shape": [10**6], "dtype": "<U1000", "values": [""] * 1000}
    if rng.integers(2):
        texts = {"shape": [1], "dtype": f"<U{10**8}", "values": ["a"]}
    written["learned"]["extra_"] = {"$texts": texts}


ALL = ("boosting", "forest", "network", "segmentation")
NETWORKS, TREES = ("network", "segmentation"), ("forest", "boosting")
PATHS = ("/etc/passwd", "/dev/zero", "http://127.0.0.1:9/weights")
VALUES: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "classes of Python": (_classes("os:system", "subprocess:Popen", "builtins:eval"), ALL),
    "modules that are run": (_classes("segclf.__main__:main", "sklearn.conftest:X"), ALL),
    "functions of ours": (
        _classes("segclf.datasets:make_shapes", "segclf:load", "segclf:demo"),
        ALL,
    ),
    "modules of tests": (_classes("sklearn.tests.test_base:X", "sklearn.utils._testing:X"), ALL),
    "modules with names of others": (
        _classes("sklearn:os", "sklearn.utils:sys", "a b:c", ":"),
        ALL,
    ),
    "a module beside the file": (_in_folder, ALL),
    "memory": (_memory, ALL),
    "paths as parameters": (
        _parameter(
            *[(n, p) for n in ("encoder_weights", "pretrainer", "image_reader") for p in PATHS]
        ),
        NETWORKS,
    ),
    "parameters that are not there": (_parameter(("__class__", 1), ("self", 1), ("x", 1)), ALL),
    "parameters of other kinds": (
        _parameter(("random_state", "x"), ("encoder", "../x"), ("batch_size", -1), ("n_jobs", 99)),
        ALL,
    ),
    "methods as attributes": (_learned(("predict", 1), ("fit", []), ("get_params", {})), ALL),
    "names of Python's": (_learned(("__class__", 1), ("__dict__", {}), ("__setstate__", 1)), ALL),
    "attributes that are no names": (_learned(("a b", 1), ("", 1), ("a.b", 1)), ALL),
    "other learned values": (_learned(("classes_", None), ("n_features_in_", -1), ("x_", [])), ALL),
    "recipe opens a file": (_recipes(encoder_weights=list(PATHS), weights=list(PATHS)), NETWORKS),
    "recipe of another kind": (
        _recipes(kind=["own", "os", None, 3, []], make=["os.system"]),
        NETWORKS,
    ),
    "recipe is large": (_recipes(n_classes=[10**9, 10**6], in_channels=[10**9, 10**5]), NETWORKS),
    "recipe of another encoder": (
        _recipes(encoder=["resnet152", "vit_giant_patch14_dinov2", "hf-hub:a/b", "nowhere", ""]),
        NETWORKS,
    ),
    "recipe is of other values": (
        _recipes(encoder_depth=[-1, 99, "x"], decoder_channels=[[10**6] * 5, [-1], "x"]),
        ("segmentation",),
    ),
    "NaN": (_weights(np.nan), NETWORKS),
    "infinity": (_weights(np.inf), NETWORKS),
    "huge": (_weights(3e38), NETWORKS),
    "tree left": (_tree("left_child"), ("forest",)),
    "tree right": (_tree("right_child"), ("forest",)),
    "tree feature": (_tree("feature"), ("forest",)),
    "boosted left": (_tree("left"), ("boosting",)),
    "boosted right": (_tree("right"), ("boosting",)),
    "boosted feature": (_tree("feature_idx"), ("boosting",)),
    "boosted categories": (_tree("is_categorical"), ("boosting",)),
    "records": (_layout, TREES),
    "distribution": (_values("$distribution", {"name": "os", "args": [], "kwds": {}}, 3, {}), ALL),
    "metric": (_values("$metric", "sklearn:os", "os:system", "", 3, "segclf:__doc__"), ALL),
    "generator": (
        _values("$generator", {"bit_generator": "os"}, {"bit_generator": "PCG64"}, 3),
        ALL,
    ),
    "random state": (_values("$random_state", ["MT19937"], [], 3, ["x", 1, 1, 1, 1]), ALL),
    "loss": (
        _values("$loss", {"name": "os"}, {"name": "HalfMultinomialLoss", "n_classes": 10**9}),
        ALL,
    ),
    "bytes": (_values("$bytes", "xy", "0", 3, None), ALL),
    "float": (_values("$float", "1e999999", "x", "1" * 10_000, None), ALL),
    "tuples": (_values("$tuple", 3, "ab", {"a": 1}, None), ALL),
    "dicts": (_values("$dict", [[1]], [[[], 1]], 3, [[{"$dict": []}, 1]]), ALL),
    "the same": (_values("$same", 0, 99, -1, "x", None), ALL),
    "arrays": (_values("$array", "nowhere", 3, None, []), ALL),
    "scalar": (_values("$scalar", {"$array": "x"}, 3, []), ALL),
    "path": (_values("$path", 3, "a\0b", [], "x" * 10**5), ALL),
    "tree": (_values("$tree", {}, {"nodes": 1}, 3), ALL),
    "masked": (_values("$masked", {"data": 1, "mask": [1, 2], "fill": 0}, {}, 3), ALL),
    "bunch": (_values("$bunch", {"__class__": 1}, 3, {"keys": 1}), ALL),
    "no form": (_values("$code", "1 + 1", {}, []), ALL),
    "texts": (_laughs, ALL),
    "nested values": (_deep, ALL),
    "something missing": (_missing, ALL),
    "something else": (_any_value, ALL),
    "arrays swapped": (_swapped, ALL),
}
