"""Schedules: pure functions of progress, from the fraction of training done to a factor."""

import math
from collections.abc import Callable

Schedule = Callable[[float], float]


def constant(fraction: float) -> float:
    """Return 1 throughout."""
    return 1.0


def cosine(fraction: float) -> float:
    """Fall from 1 to 0 along half a cosine (Loshchilov and Hutter, ICLR 2017)."""
    return 0.5 * (1.0 + math.cos(math.pi * fraction))


def shallow_cosine(fraction: float) -> float:
    """Fall along half a cosine to 17/18, from 3.6e-4 to 3.4e-4 in S4MI (section 3.3)."""
    return (17.0 + cosine(fraction)) / 18.0


def step(fraction: float) -> float:
    """Divide by 10 after each third of training."""
    return 0.1 ** int(3.0 * fraction)


def polynomial(fraction: float) -> float:
    """Fall from 1 to 0 as (1 - fraction) to the power .9 (DeepLab)."""
    return (1.0 - fraction) ** 0.9


def ramp_up(fraction: float) -> float:
    """Rise from exp(-5) to 1 as exp(-5 (1 - fraction)^2) (Laine and Aila, ICLR 2017)."""
    return math.exp(-5.0 * (1.0 - min(max(fraction, 0.0), 1.0)) ** 2)


def warm_up(fraction: float, *, length: float = 0.1, then: Schedule = constant) -> float:
    """Rise linearly over the first `length` of training, then follow `then` over the rest.

    Examples
    --------
    >>> [round(warm_up(t, then=cosine), 3) for t in (0.0, 0.05, 0.1, 0.55, 1.0)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if fraction < length:
        return fraction / length
    return then((fraction - length) / (1.0 - length))


def between(zero: float, one: float, schedule: Schedule) -> Schedule:
    """Rescale a schedule from the range 0 to 1 to another range.

    Examples
    --------
    >>> [between(0.5, 0.25, cosine)(t) for t in (0.0, 1.0)]
    [0.25, 0.5]
    """
    return lambda fraction: zero + (one - zero) * schedule(fraction)


def rise(fraction: float, start: float) -> float:
    """Rise linearly from 0 at `start` to 1, over a tenth of the training that remains.

    With a `start` of 0 there is no rise: the factor is 1 throughout.

    Examples
    --------
    >>> [round(rise(t, 0.5), 3) for t in (0.4, 0.5, 0.52, 0.55, 1.0)], rise(0.0, 0.0)
    ([0.0, 0.0, 0.4, 1.0, 1.0], 1.0)
    """
    if start == 0:
        return 1.0
    return min(1.0, max(0.0, (fraction - start) / (0.1 * (1.0 - start))))


def warm_up_cosine(fraction: float) -> float:
    """Rise linearly over the first tenth, then fall along half a cosine."""
    return warm_up(fraction, then=cosine)


def one_cycle(fraction: float) -> float:
    """Rise along a cosine from 1/25 over the first 30 %, then fall along one to 0."""
    if fraction < 0.3:
        return 1.0 - 0.96 * cosine(fraction / 0.3)
    return cosine((fraction - 0.3) / 0.7)


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "cosine": cosine,
    "one_cycle": one_cycle,
    "polynomial": polynomial,
    "ramp_up": ramp_up,
    "shallow_cosine": shallow_cosine,
    "step": step,
    "warm_up": warm_up,
    "warm_up_cosine": warm_up_cosine,
}


def get_schedule(schedule: str | Schedule) -> Schedule:
    """Return the schedule of that name, or the callable itself.

    Raises
    ------
    ValueError
        When no schedule has that name.

    Examples
    --------
    >>> get_schedule("cosine")(0.5)
    0.5
    """
    if callable(schedule):
        return schedule
    if schedule not in SCHEDULES:
        raise ValueError(f"No schedule named {schedule!r}; available: {', '.join(SCHEDULES)}.")
    return SCHEDULES[schedule]
