"""The description of one plugin, made from the result of a hook."""

import re
from dataclasses import dataclass, replace

__all__ = ["PluginInfo", "offered"]

_TARGET = re.compile(r"\w+(\.\w+)*:\w+")
_SUFFIX = re.compile(r"(\.[^\s./\\A-Z]+)+")


@dataclass(frozen=True, kw_only=True)
class PluginInfo:
    """One line of :func:`list_plugins`.

    Parameters
    ----------
    kind : {"pseudo_labeler", "reader", "summarizer", "thresholder"} or None
        None for an entry point that failed before it could list its plugins.
    name : str
        The plugin's name; the entry point's name if there is no other.
    distribution, version : str
        The distribution that provides it.
    target : str
        ``"package.module:Class"``, or the entry point's module.
    state : {"ok", "broken", "conflict"}
        A plugin in conflict can only be used by its id.
    error : str, default=""
        The error: a message or a traceback.
    suffixes : tuple of str, default=()
        For a reader: the suffixes of its files, in lower case.
    """

    kind: str | None
    name: str
    distribution: str
    version: str
    target: str
    state: str = "ok"
    error: str = ""
    suffixes: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """``"distribution:name"``, which can be used wherever the name can."""
        return f"{self.distribution}:{self.name}"


def offered(whole: PluginInfo, name: object, offer: object) -> PluginInfo:
    """Describe one item of a hook's result, and its error, if any.

    Parameters
    ----------
    whole : PluginInfo
        Description of the entry point, with the kind of the hook.
    name, offer : object
        The item.

    Returns
    -------
    PluginInfo
        With the state "broken" if it does not conform to `segclf.hookspecs`.
    """
    target, suffixes = _with_suffixes(offer) if whole.kind == "reader" else (offer, ())
    error = ""
    if not isinstance(name, str) or not name or ":" in name:
        error = f"a plugin's name must be a str without ':', got {name!r}"
    elif not isinstance(target, str) or not _TARGET.fullmatch(target):
        error = f"the target of {name!r} must be 'package.module:Class', got {target!r}"
    elif suffixes is None:
        error = f"{name!r} needs its suffixes: ({target!r}, ['.nrrd', ...]), got {offer!r}"
    state = "broken" if error else "ok"
    offered = replace(whole, name=str(name), target=str(target), state=state, error=error)
    return replace(offered, suffixes=suffixes or ())


def _with_suffixes(offer: object) -> tuple[object, tuple[str, ...] | None]:
    """Split what a reader offers; None if there is no list of suffixes."""
    target, suffixes = offer if isinstance(offer, tuple) and len(offer) == 2 else (offer, None)
    if not isinstance(suffixes, list | tuple):
        return target, None
    good = all(isinstance(one, str) and _SUFFIX.fullmatch(one) for one in suffixes)
    return target, tuple(suffixes) if good else None
