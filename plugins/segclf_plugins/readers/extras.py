"""Libraries that are installed by an extra of segclf."""

import importlib
from typing import Any

__all__ = ["require"]


def require(module: str, extra: str) -> Any:
    """Import a module, or raise an error that says what to install.

    Raises
    ------
    ImportError
        If it is missing; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        needed = module.partition(".")[0]
        raise ImportError(
            f"{needed} is needed, and is not installed: pip install 'segclf[{extra}]'"
        ) from error
