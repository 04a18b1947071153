"""Interpret the pickle that `torch.save` writes beside the numbers, without running it.

A pickle is a program that may import and call anything. Here it is read by an interpreter without
imports and calls. Names remain names. Of the functions that torch's own files call, those that make
tensors return a description, and those that make other plain values return nothing.
"""

import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

from segclf.files.short_values import LONGEST_NAME, ShortValues

# Maximum for one program: the operations that torch writes for 10,000 tensors.
MOST_OPERATIONS = 500_000
_N_ARGUMENTS = 4


class Name(NamedTuple):
    """A class, function or type that a program names."""

    module: str
    name: str


class StoredTensor(NamedTuple):
    """The location of the numbers of one tensor: the storage, and the layout in it.

    Attributes
    ----------
    storage, kind : str
        Name of the storage, and its kind, such as ``"FloatStorage"``.
    length, offset : int
        Number of elements of the storage, and of those before the tensor.
    shape, stride : tuple of int
        Of the tensor, in elements.
    dtype : str or None
        Type of the tensor, if it is not that of the storage.
    """

    storage: str
    kind: str
    length: int
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: str | None = None


class _Storage(NamedTuple):
    key: str
    kind: str
    length: int
    start: int = 0


def read_program(file: BinaryIO) -> Any:
    """Interpret one pickle, up to its end.

    Parameters
    ----------
    file : file
        Its position is then after the program.

    Returns
    -------
    object
        Numbers, strings, lists, tuples and dicts, with a `StoredTensor` for each tensor and None
        for other plain values.

    Raises
    ------
    ValueError
        For a program that does anything else.

    Examples
    --------
    >>> import io, pickle
    >>> from segclf.files import read_program
    >>> read_program(io.BytesIO(pickle.dumps({"epoch": 3}, protocol=2)))
    {'epoch': 3}
    >>> read_program(io.BytesIO(pickle.dumps(print, protocol=2)))
    Traceback (most recent call last):
    ValueError: ...
    """
    machine = _Machine()
    careful: Any = ShortValues(file)
    for count, (operation, argument, _) in enumerate(pickletools.genops(careful)):
        if count > MOST_OPERATIONS:
            raise ValueError(f"it takes more than {MOST_OPERATIONS} operations to read")
        if operation.name == "STOP":
            return machine.pop()
        machine.run(operation.name, argument)
    raise ValueError("it ends too early")


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self, operation: str, argument: Any) -> None:
        if operation in _VALUES:
            self._stack.append(argument)
        elif operation in _MADE:
            self._stack.append(_MADE[operation]())
        elif operation in _IN_MEMO:
            self._memo[argument] = self._stack[-1]
        elif operation in _FROM_MEMO:
            self._stack.append(self._memo[argument])
        elif operation in _STEPS:
            _STEPS[operation](self, argument)
        elif operation != "PROTO":
            raise ValueError(f"it uses an operation that no file of weights needs ({operation})")

    def pop(self) -> Any:
        if not self._stack or (self._marks and len(self._stack) <= self._marks[-1]):
            raise ValueError("it takes a value that does not exist")
        return self._stack.pop()

    def mark(self, _: Any) -> None:
        self._marks.append(len(self._stack))

    def bytes_text(self, argument: str) -> None:
        """Push a string of Python 2."""
        self._stack.append(argument.encode("latin-1").decode())

    def name(self, argument: str) -> None:
        name = Name(*argument.split(" "))
        if name not in _CALLS and not _is_type(name):
            raise ValueError(f"it names {name.module}.{name.name}, which makes no tensor")
        self._stack.append(name)

    def tuple_to_mark(self, _: Any) -> None:
        self._stack.append(tuple(self._to_mark()))

    def short_tuple(self, length: int) -> None:
        self._stack.append(tuple(reversed([self.pop() for _ in range(length)])))

    def append(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            raise ValueError("it appends to a value that is not a list")
        target.extend(values)

    def set_items(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not dict or len(values) % 2:
            raise ValueError("it sets items of a value that is not a dict")
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[_key(key)] = value

    def append_to_mark(self, _: Any) -> None:
        self.append(self._to_mark())

    def set_items_to_mark(self, _: Any) -> None:
        self.set_items(self._to_mark())

    def call(self, _: Any) -> None:
        arguments, function = self.pop(), self.pop()
        self._stack.append(_called(function, arguments))

    def build(self, _: Any) -> None:
        """Ignore the attributes of an ordered dict."""
        self.pop()
        if type(self._stack[-1]) is not dict:
            raise ValueError("it changes a value that is not a dict")

    def storage(self, _: Any) -> None:
        self._stack.append(_storage(self.pop()))

    def _to_mark(self) -> list[Any]:
        start = self._marks.pop()
        values = self._stack[start:]
        del self._stack[start:]
        return values


def _key(key: Any) -> Any:
    """Refuse keys that contain others: hashing nested ones can end the process."""
    if type(key) not in (str, int, float, bool, type(None)):
        raise ValueError(f"it has a key of type {type(key).__name__}")
    return key


def _called(function: Any, arguments: Any) -> Any:
    if not isinstance(function, Name) or function not in _CALLS or type(arguments) is not tuple:
        raise ValueError(f"it calls {function!r:.80}")
    return _CALLS[function](*arguments)


def _is_type(name: Name) -> bool:
    """Tell whether a name is a type of storage, tensor or number."""
    if name in (("torch", "Tensor"), ("torch.nn.parameter", "Parameter")):
        return True
    if name.module == "torch.storage":
        return name.name in ("UntypedStorage", "TypedStorage")
    return name.module == "torch" and (name.name.endswith("Storage") or name.name.islower())


def _storage(described: Any) -> _Storage:
    match described:
        case ("storage", Name() as kind, str(key), _, int(length), *view) if length >= 0:
            match view:
                case [] | [None]:
                    return _Storage(key, kind.name, length)
                case [(_, int(start), int(size))] if 0 <= start <= start + size <= length:
                    return _Storage(key, kind.name, length, start)
    raise ValueError(f"it has a storage {described!r:.80}")


def _tensor(storage: Any, offset: Any, shape: Any, stride: Any, *rest: Any) -> StoredTensor:
    if not isinstance(storage, _Storage) or type(shape) is not tuple or type(stride) is not tuple:
        raise ValueError("it has a tensor with an invalid description")
    numbers = (offset, *shape, *stride)
    if len(shape) != len(stride) or any(type(n) is not int or n < 0 for n in numbers):
        raise ValueError(f"it has a tensor of shape {shape!r:.80} and stride {stride!r:.80}")
    offset += storage.start
    return StoredTensor(storage.key, storage.kind, storage.length, offset, shape, stride)


def _tensor_of_type(*arguments: Any) -> StoredTensor:
    """Describe a tensor in a storage of bytes, whose type is the seventh argument."""
    _, _, dtype, *_ = arguments[_N_ARGUMENTS:]
    if not isinstance(dtype, Name) or dtype.module != "torch":
        raise ValueError(f"it has a tensor of type {dtype!r:.80}")
    return _tensor(*arguments[:_N_ARGUMENTS])._replace(dtype=dtype.name)


def _first(value: Any, *_: Any) -> Any:
    return value


def _items(*arguments: Any) -> dict[Any, Any]:
    """Make an ordered dict; Python 2 passes its items along, which must be few."""
    items = dict(arguments[0]) if arguments else {}
    if len(items) > LONGEST_NAME:
        raise ValueError("it makes a dict of a long list")
    return {_key(key): value for key, value in items.items()}


def _subclass(function: Any, _: Any, arguments: Any, *__: Any) -> Any:
    return _called(function, arguments)


def _nothing(*_: Any) -> None:
    """Return None in place of a plain value that is not used."""


_CALLS: dict[Name, Callable[..., Any]] = {
    Name("collections", "OrderedDict"): _items,
    Name("torch._utils", "_rebuild_tensor"): _tensor,
    Name("torch._utils", "_rebuild_tensor_v2"): _tensor,
    Name("torch._utils", "_rebuild_tensor_v3"): _tensor_of_type,
    Name("torch._utils", "_rebuild_parameter"): _first,
    Name("torch._utils", "_rebuild_parameter_with_state"): _first,
    Name("torch._tensor", "_rebuild_from_type_v2"): _subclass,
    **{
        Name(module, name): _nothing
        for module, names in {
            "__builtin__": ("bytearray", "complex", "set"),
            "_codecs": ("encode",),
            "builtins": ("bytearray", "complex", "set"),
            "collections": ("Counter",),
            "torch": ("Size", "device"),
            "torch.serialization": ("_get_layout",),
        }.items()
        for name in names
    },
}
_VALUES = {"BININT", "BININT1", "BININT2", "BINFLOAT", "BINUNICODE", "LONG1"}
_MADE: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
}
_IN_MEMO = {"BINPUT", "LONG_BINPUT"}
_FROM_MEMO = {"BINGET", "LONG_BINGET"}
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine.mark,
    "SHORT_BINSTRING": _Machine.bytes_text,
    "GLOBAL": _Machine.name,
    "TUPLE": _Machine.tuple_to_mark,
    "TUPLE1": lambda machine, _: machine.short_tuple(1),
    "TUPLE2": lambda machine, _: machine.short_tuple(2),
    "TUPLE3": lambda machine, _: machine.short_tuple(3),
    "APPEND": lambda machine, _: machine.append([machine.pop()]),
    "APPENDS": _Machine.append_to_mark,
    "SETITEM": lambda machine, _: machine.set_items([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": _Machine.set_items_to_mark,
    "REDUCE": _Machine.call,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.storage,
}
