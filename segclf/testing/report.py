"""Run several checks and say of all of them which failed."""

import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from segclf.base import NothingFoundWarning

Check = Callable[[Any], None]


def run_all(checks: Sequence[Check], subject: object, *, name: str) -> None:
    """Run every check on the subject, whatever the ones before did.

    Raises
    ------
    ExceptionGroup
        Of the AssertionError (or the other error) of each check that failed, with its name.
    """
    failures: list[Exception] = []
    for check in checks:
        try:
            of_small_fits(check)(subject)
        except Exception as error:
            error.add_note(f"in {check.__name__}, on {name}")
            failures.append(error)
    if failures:
        notes = ", ".join(error.__notes__[-1].split(",")[0][3:] for error in failures)
        raise ExceptionGroup(
            f"{name} fails {len(failures)} of {len(checks)} checks: {notes}", failures
        )


def of_small_fits(check: Check) -> Check:
    """Return the check without the warning that a network finds nothing, as small ones do."""

    @wraps(check)
    def quiet(subject: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NothingFoundWarning)
            check(subject)

    return quiet
