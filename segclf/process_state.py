"""Protect global state from third-party code: changes are undone, with a warning."""

import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

__all__ = ["GlobalStateWarning", "unchanged"]

# Environment variables that affect computations and devices. Libraries set others of their own.
_VARIABLES = ("CUBLAS", "CUDA", "MKL", "OMP", "OPENBLAS", "PYTHON", "PYTORCH", "SEGCLF", "TORCH")
# The settings of torch in a fresh process, if it has only now been imported.
_FRESH = {
    "torch's default dtype": "float32",
    "torch's gradient mode": True,
    "torch's deterministic algorithms": (False, False),
    "torch's precision of matrix products": "highest",
}


class GlobalStateWarning(UserWarning):
    """Third-party code changed global state of the process."""


class _Setting(NamedTuple):
    """One global setting: how to read it as a comparable value, and how to set it."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], Any]


@contextmanager
def unchanged(who: str) -> Iterator[None]:
    """Undo global changes by a block of third-party code, and warn about them.

    Random states are compared only if no other thread may use them meanwhile. Changes by a library
    that is imported inside the block are kept, unless they affect the computations of others.

    Parameters
    ----------
    who : str
        For the warning: the owner of the code, and what it does, such as "X, while it is imported".

    Warns
    -----
    GlobalStateWarning
        Names what was changed.

    Examples
    --------
    >>> import numpy as np
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     with unchanged("This example"):
    ...         _ = np.seterr(all="ignore")
    >>> [str(warning.message) for warning in caught]
    ["This example changes numpy's handling of errors; that was undone."]
    """
    before = {each.name: (each, each.read()) for each in _settings()}
    try:
        yield
    finally:
        _restore(before, who)


def _restore(before: dict[str, tuple[_Setting, Any]], who: str) -> None:
    changed = []
    for each in _settings():
        _, value = before.get(each.name, (each, _FRESH.get(each.name, _restore)))
        if value is not _restore and each.read() != value:
            each.write(value)
            changed.append(each.name)
    if changed:
        message = f"{who} changes {', '.join(changed)}; that was undone."
        warnings.warn(message, GlobalStateWarning, stacklevel=4)


def _settings() -> list[_Setting]:
    """List the settings to compare, given the imported libraries."""
    alone = threading.active_count() == 1
    settings = [*_of_python(), *(_random_of_python() if alone else ())]
    for name, of_library, random_of_library in (
        ("numpy", _of_numpy, _random_of_numpy),
        ("torch", _of_torch, _random_of_torch),
    ):
        if _is_imported(name):
            settings += [*of_library(), *(random_of_library() if alone else ())]
    return settings


def _is_imported(name: str) -> bool:
    """Tell whether a library is completely imported."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return spec is not None and not getattr(spec, "_initializing", False)


def _of_python() -> Iterator[_Setting]:
    yield _Setting("the filters of warnings", _Filters, _Filters.put_back)
    yield _Setting("variables of the environment", _variables, _set_variables)
    yield _Setting("the working directory", os.getcwd, os.chdir)
    yield _Setting("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit)
    if threading.current_thread() is threading.main_thread():
        number = signal.SIGINT
        handle = lambda handler: signal.signal(number, handler)  # noqa: E731
        yield _Setting("what Ctrl-C does", lambda: signal.getsignal(number), handle)


def _random_of_python() -> Iterator[_Setting]:
    yield _Setting("the random state of Python", random.getstate, random.setstate)


class _Filters:
    """The warning filters; new ones for a message, module or own category do not count as changes.

    The order of the old ones must not change: the first filter that matches decides.
    """

    def __init__(self) -> None:
        self.all = list(warnings.filters)

    def __eq__(self, before: object) -> bool:
        return isinstance(before, _Filters) and self.without_new(before) == before.all

    def without_new(self, before: "_Filters") -> list[Any]:
        return [each for each in self.all if each in before.all or _is_for_everybody(each)]

    def put_back(self) -> None:
        after = _Filters()
        kept = after.without_new(self)
        new = [each for each in after.all if each not in kept]
        warnings.filters[:] = [*new, *self.all]  # type: ignore[index]


def _is_for_everybody(each: Any) -> bool:
    _, message, category, module, _ = each
    return message is None and module is None and category.__module__ == "builtins"


def _variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(_VARIABLES)}


def _set_variables(before: dict[str, str]) -> None:
    for name in _variables().keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


def _of_numpy() -> Iterator[_Setting]:
    import numpy as np

    yield _Setting("numpy's handling of errors", np.geterr, lambda before: np.seterr(**before))


def _random_of_numpy() -> Iterator[_Setting]:
    import numpy as np

    def read() -> tuple[Any, ...]:
        state: Any = np.random.get_state()  # noqa: NPY002
        kind, keys, *rest = state
        return kind, keys.tobytes(), *rest

    def write(state: tuple[Any, ...]) -> None:
        kind, keys, *rest = state
        np.random.set_state((kind, np.frombuffer(keys, np.uint32), *rest))  # noqa: NPY002

    yield _Setting("the random state of numpy", read, write)


def _of_torch() -> Iterator[_Setting]:
    import torch

    def dtype() -> str:
        return str(torch.get_default_dtype()).removeprefix("torch.")

    def deterministic() -> tuple[bool, bool]:
        warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
        return torch.are_deterministic_algorithms_enabled(), warn_only

    yield _Setting(
        "torch's default dtype", dtype, lambda name: torch.set_default_dtype(getattr(torch, name))
    )
    yield _Setting("torch's default device", torch.get_default_device, torch.set_default_device)
    yield _Setting("torch's gradient mode", torch.is_grad_enabled, torch.set_grad_enabled)
    yield _Setting("torch's number of threads", torch.get_num_threads, torch.set_num_threads)
    yield _Setting(
        "torch's deterministic algorithms",
        deterministic,
        lambda before: torch.use_deterministic_algorithms(before[0], warn_only=before[1]),
    )
    yield _Setting(
        "torch's precision of matrix products",
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    )


def _random_of_torch() -> Iterator[_Setting]:
    import torch

    def write(state: bytes) -> None:
        torch.set_rng_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))

    state = torch.get_rng_state
    yield _Setting("the random state of torch", lambda: state().numpy().tobytes(), write)
