"""Keep personal data of medical files within their readers, also in error messages."""

import logging
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import Any, TypeVar

from segclf.data import check_volume_size
from segclf.isolation import Shared
from segclf_plugins.readers.extras import require

__all__ = ["Refused", "discreet", "known_name", "require_size"]

_Result = TypeVar("_Result")


class Refused(ValueError):
    """An error with our own text, which quotes only sizes, types and names of formats."""


def discreet(function: Callable[..., _Result]) -> Callable[..., _Result]:
    """Replace errors of libraries, which may quote the file, by their kind only.

    One damaged bit in a length can make a person's name part of another attribute. So no text from
    a library about a file is safe: not errors, not warnings, not logs.
    """

    @wraps(function)
    def quiet(*args: Any, **kwargs: Any) -> _Result:
        try:
            with _quiet_pydicom():
                return function(*args, **kwargs)
        except (Refused, ImportError, MemoryError, FileNotFoundError, PermissionError):
            raise
        except Exception as error:
            kind = type(error).__name__
        # raised outside `except`, so that no traceback shows the original error
        raise Refused(f"it is damaged, or not a valid DICOM file ({kind})")

    return quiet


def known_name(uid: Any) -> str:
    """Return the standard's name of a UID, or "unknown" for others."""
    names = require("pydicom.uid", "medical").UID_dictionary
    return names[uid][0] if uid in names else "unknown"


def require_size(shape: tuple[int, ...]) -> None:
    """Reject sizes like `segclf.data.check_volume_size`, whose text is also ours."""
    try:
        check_volume_size(shape)
    except ValueError as error:
        reason = str(error)
    else:
        return
    raise Refused(reason)


def _silence() -> Callable[[], None]:
    """Silence pydicom, and return a function that undoes it."""
    config, before = require("pydicom", "medical").config, ExitStack()
    logger, settings = logging.getLogger("pydicom"), config.settings
    before.callback(setattr, logger, "disabled", logger.disabled)
    before.callback(setattr, settings, "reading_validation_mode", settings.reading_validation_mode)
    before.enter_context(warnings.catch_warnings())
    warnings.simplefilter("ignore")
    logger.disabled = True
    settings.reading_validation_mode = config.IGNORE
    return before.close


# Active while any thread reads.
_quiet_pydicom = Shared(_silence)
