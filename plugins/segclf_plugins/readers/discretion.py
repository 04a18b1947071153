"""Nothing of what a medical file says of a person leaves its reader, errors included."""

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
    """An error of our own words, which quote sizes, types and names of formats alone."""


def discreet(function: Callable[..., _Result]) -> Callable[..., _Result]:
    """Replace what libraries raise, which may quote the file, by what kind of error it was.

    A length that is damaged by one bit makes a name a part of something else, so that nothing that
    a library says of a file can be trusted to be harmless: neither errors, nor warnings, nor logs.
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
        # outside of `except`, so that no traceback shows the other one
        raise Refused(f"it is damaged, or no proper DICOM file ({kind})")

    return quiet


def known_name(uid: Any) -> str:
    """Return the name that the standard has for a UID, and "unknown" for all others."""
    names = require("pydicom.uid", "medical").UID_dictionary
    return names[uid][0] if uid in names else "unknown"


def require_size(shape: tuple[int, ...]) -> None:
    """Refuse sizes as `segclf.data.check_volume_size` does, whose words are ours, too."""
    try:
        check_volume_size(shape)
    except ValueError as error:
        reason = str(error)
    else:
        return
    raise Refused(reason)


def _silence() -> Callable[[], None]:
    """Silence pydicom, and return what makes it loud again."""
    config, before = require("pydicom", "medical").config, ExitStack()
    logger, settings = logging.getLogger("pydicom"), config.settings
    before.callback(setattr, logger, "disabled", logger.disabled)
    before.callback(setattr, settings, "reading_validation_mode", settings.reading_validation_mode)
    before.enter_context(warnings.catch_warnings())
    warnings.simplefilter("ignore")
    logger.disabled = True
    settings.reading_validation_mode = config.IGNORE
    return before.close


# While any thread reads.
_quiet_pydicom = Shared(_silence)
