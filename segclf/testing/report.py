"""Run several checks and report all failures together."""

import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from segclf.base import NothingFoundWarning

Check = Callable[[Any], None]


def run_all(checks: Sequence[Check], subject: object, *, name: str) -> None:
    """Run every check on the subject, even if earlier checks fail.

    Raises
    ------
    ExceptionGroup
        With the AssertionError (or other error) of each failed check, and its name.
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
    """Return the check without the warning of small networks that predict no finding."""

    @wraps(check)
    def quiet(subject: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NothingFoundWarning)
            check(subject)

    return quiet
