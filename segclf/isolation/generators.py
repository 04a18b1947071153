"""Replace the default generator of torch in one thread, for all operations that use it.

Torch has one default generator for each device, which all threads share. But its dispatcher lets
each thread switch keys on and off. At a key that no backend uses, every operation with a generator
argument gets a kernel here that passes it the thread's own generator; all others fall through, in
C++ and at no cost. So initializations, dropout and everything else that a network samples have the
same bits as after `torch.manual_seed`, in any thread, and the default generator does not change.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any

import torch
from torch import Generator, Tensor

from segclf.isolation.shared import in_forked_child

_KEY_NAME = "TESTING_ONLY_GenericMode"
_KEY: Any = torch._C._parse_dispatch_key(_KEY_NAME)
_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}
_mine = threading.local()
_registering = threading.Lock()
# The generators of accelerators cannot be replaced in this way: fused kernels read the default one.
_accelerator = threading.RLock()


@in_forked_child
def _after_fork() -> None:
    """Renew the locks: a thread that was not forked may have held them."""
    global _registering, _accelerator
    _registering, _accelerator = threading.Lock(), threading.RLock()


@contextmanager
def seeded(seed: int, device: torch.device = torch.device("cpu")) -> Iterator[None]:
    """Sample as after ``torch.manual_seed(seed)``, but only in this thread.

    On an accelerator, only one thread at a time can be inside; the others wait.

    Parameters
    ----------
    seed : int
        The seed.
    device : torch.device
        The device of the computation. Random numbers of the CPU are always covered.

    Examples
    --------
    >>> with seeded(0):
    ...     inside = torch.rand(2)
    >>> bool((inside == torch.rand(2, generator=Generator().manual_seed(0))).all())
    True
    """
    with _registering:
        _register()
    outer = getattr(_mine, "generator", None)
    _mine.generator = Generator().manual_seed(seed)
    try:
        on_device = nullcontext() if device.type == "cpu" else _seeded_accelerator(seed, device)
        with torch._C._IncludeDispatchKeyGuard(_KEY), on_device:
            yield
    finally:
        _mine.generator = outer


@contextmanager
def rows_of_batch(n_images: int, rows: slice) -> Iterator[None]:
    """Sample, in this thread, as for all images of a batch, and take these rows.

    This covers values sampled in place for each image, as by dropout on a CPU. Kernels that sample
    themselves, such as an accelerator's dropout, see only the rows that are here.

    Parameters
    ----------
    n_images : int
        Number of images in the whole batch.
    rows : slice
        The images that are here.

    Examples
    --------
    >>> import torch
    >>> from segclf.isolation import isolated, rows_of_batch, seeded
    >>> cpu = torch.device("cpu")
    >>> with isolated(), seeded(0, cpu):
    ...     whole = torch.nn.functional.dropout(torch.ones(4, 8))
    >>> with isolated(), seeded(0, cpu), rows_of_batch(4, slice(2, 4)):
    ...     bool((torch.nn.functional.dropout(torch.ones(2, 8)) == whole[2:]).all())
    True
    """
    outer = getattr(_mine, "batch", None)
    _mine.batch = n_images, rows
    try:
        yield
    finally:
        _mine.batch = outer


def get_random_state(device: torch.device) -> dict[str, Tensor]:
    """Return the states of the generators of the CPU and the device in this thread.

    Examples
    --------
    >>> import torch
    >>> from segclf.isolation import get_random_state, isolated, seeded, set_random_state
    >>> cpu = torch.device("cpu")
    >>> with isolated(), seeded(0, cpu):
    ...     state = get_random_state(cpu)
    ...     first = torch.rand(1)
    ...     set_random_state(state, cpu)
    ...     bool(first == torch.rand(1))
    True
    """
    state = {"cpu": _generator().get_state()}
    if device.type != "cpu":
        state[device.type] = torch.get_device_module(device).get_rng_state()
    return state


def set_random_state(state: dict[str, Tensor], device: torch.device) -> None:
    """Set the states of this thread's generators.

    Examples
    --------
    >>> import torch
    >>> from segclf.isolation import get_random_state, isolated, seeded, set_random_state
    >>> cpu = torch.device("cpu")
    >>> with isolated(), seeded(0, cpu):
    ...     state = get_random_state(cpu)
    ...     first = torch.rand(1)
    ...     set_random_state(state, cpu)
    ...     bool(first == torch.rand(1))
    True
    """
    _generator().set_state(state["cpu"].cpu())
    if device.type != "cpu" and device.type in state:
        torch.get_device_module(device).set_rng_state(state[device.type].cpu())


def _generator() -> Generator:
    return getattr(_mine, "generator", None) or torch.default_generator


@cache
def _register() -> tuple[torch.library.Library, ...]:
    """Give every operation of torch that takes a generator a kernel at our key."""
    everything, random = (torch.library.Library(name, "IMPL", _KEY_NAME) for name in ("_", "aten"))
    everything.fallback(torch.library.fallthrough_kernel)
    for schema in torch._C._jit_get_all_schemas():
        names = [argument.name for argument in schema.arguments]
        if schema.name.startswith("aten::") and "generator" in names:
            name = schema.name.removeprefix("aten::")
            operation = getattr(getattr(torch.ops.aten, name), schema.overload_name or "default")
            full = f"{name}.{schema.overload_name}".rstrip(".")
            random.impl(full, _with_generator(operation, names.index("generator")))
    return everything, random  # their kernels exist as long as they do


def _with_generator(operation: Any, place: int) -> Callable[..., Any]:
    """Return the operation with the thread's own generator instead of the default one."""

    def call(*args: Any, **options: Any) -> Any:
        given = options.get("generator", args[place] if len(args) > place else None)
        if given is None or _address(given) == _address(torch.default_generator):
            options["generator"] = _generator()
            args = args[:place]
        with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(_KEY)):
            batch = getattr(_mine, "batch", None)
            if batch is not None and operation._schema.is_mutable:
                return _of_whole_batch(operation, *batch, *args, **options)
            return operation(*args, **options)

    return call


def _of_whole_batch(
    operation: Callable[..., Any],
    n_images: int,
    rows: slice,
    values: Tensor,
    *args: Any,
    **options: Any,
) -> Tensor:
    """Sample for all images and take these rows; a tensor of another length is not a batch."""
    if not values.ndim or len(values) != rows.stop - rows.start:
        result: Tensor = operation(values, *args, **options)
        return result
    orders = {} if values.is_contiguous() else _CHANNELS_LAST
    order = orders.get(values.ndim, torch.contiguous_format)
    whole = values.new_empty((n_images, *values.shape[1:])).contiguous(memory_format=order)
    return values.copy_(operation(whole, *args, **options)[rows])


def _address(generator: Any) -> int:
    return generator._cdata


@contextmanager
def _seeded_accelerator(seed: int, device: torch.device) -> Iterator[None]:
    """Seed a device's default generator, choose deterministic kernels, and restore both after."""
    module = torch.get_device_module(device)
    with (
        _accelerator,
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
        torch.cuda.device(device) if device.type == "cuda" else nullcontext(),
    ):
        before = module.get_rng_state()
        module.manual_seed(seed)
        try:
            yield
        finally:
            module.set_rng_state(before)
