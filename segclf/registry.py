"""Find plugins by name; the only caller of pluggy.

Entry points of the group ``segclf`` are queried on first use, isolated from each other: one that
fails to import, violates a hook's interface or takes another's name is listed with its error and
does not affect the others. The classes themselves are imported on their first use.
"""

import difflib
import functools
import importlib
import os
import re
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from segclf import hookspecs
from segclf.plugin_info import PluginInfo, offered
from segclf.process_state import GlobalStateWarning, unchanged

__all__ = ["KINDS", "PluginError", "PluginInfo", "list_plugins", "load_plugin", "make_plugin"]

GROUP = "segclf"
KINDS = ("pseudo_labeler", "reader", "summarizer", "thresholder")
STRICT = "SEGCLF_STRICT_PLUGINS"


class PluginError(ValueError):
    """A plugin that does not exist, is ambiguous, or does not work."""


def list_plugins(kind: str | None = None) -> list[PluginInfo]:
    """List the installed plugins, including those that do not work.

    Parameters
    ----------
    kind : {"pseudo_labeler", "reader", "summarizer", "thresholder"}, optional
        Only plugins of this kind, and entry points that failed before their kind was known.

    Returns
    -------
    list of PluginInfo
        Sorted by kind, name and distribution.

    Raises
    ------
    PluginError
        For an unknown kind. If the environment variable ``SEGCLF_STRICT_PLUGINS`` is 1, also for
        the first plugin that does not work.

    Examples
    --------
    >>> from segclf.registry import list_plugins
    >>> [plugin.id for plugin in list_plugins("summarizer") if plugin.name == "threshold"]
    ['segclf:threshold']
    """
    if kind is not None and kind not in KINDS:
        raise PluginError(f"No plugin kind {kind!r}; available: {', '.join(KINDS)}.")
    for plugin in _discover() if os.environ.get(STRICT, "0") not in ("", "0") else ():
        if plugin.state != "ok":
            raise PluginError(f"Plugin {plugin.id} is {plugin.state} ({STRICT}):\n{plugin.error}")
    return [plugin for plugin in _discover() if kind is None or plugin.kind in (kind, None)]


def load_plugin(kind: str, name: str) -> type[Any]:
    """Import a plugin's class.

    Parameters
    ----------
    kind : {"pseudo_labeler", "reader", "summarizer", "thresholder"}
        Kind of the plugin.
    name : str
        ``"name"``, or ``"distribution:name"``.

    Returns
    -------
    type
        The class; call it without arguments for an instance with its defaults.

    Raises
    ------
    PluginError
        If there is no such plugin, there are several, or its class cannot be imported.

    Examples
    --------
    >>> from segclf.registry import load_plugin
    >>> load_plugin("summarizer", "threshold").__name__
    'ThresholdSummarizer'
    """
    return import_class(_find(kind, name))


def make_plugin(kind: str, name_or_object: Any) -> Any:
    """Return the object that a parameter names or holds.

    Parameters
    ----------
    kind : {"pseudo_labeler", "reader", "summarizer", "thresholder"}
        Kind of the plugin.
    name_or_object : str or object
        A name gives a new instance with its defaults; an object is returned unchanged.

    Returns
    -------
    object
        An instance.

    Raises
    ------
    PluginError
        As in :func:`load_plugin`; for a class instead of an instance; and for a class that cannot
        be created without arguments.

    Examples
    --------
    >>> from segclf.registry import make_plugin
    >>> make_plugin("summarizer", "threshold")
    ThresholdSummarizer()
    """
    if isinstance(name_or_object, type):
        given = name_or_object.__name__
        raise PluginError(f"Expected a {kind}'s name or an instance, got the class {given}.")
    if isinstance(name_or_object, str):
        return make_instance(_find(kind, name_or_object))
    return name_or_object


def import_class(plugin: PluginInfo) -> type[Any]:
    """Import the class of a plugin; see :func:`load_plugin`."""
    module, _, attribute = plugin.target.partition(":")
    what = "is imported"
    loaded = _guarded(plugin, what, lambda: getattr(importlib.import_module(module), attribute))
    if not isinstance(loaded, type):
        where = _where(plugin)
        raise PluginError(f"{where} must be a class, got {type(loaded).__name__}: {loaded!r:.80}.")
    return loaded


def make_instance(plugin: PluginInfo) -> Any:
    """Make an instance of a plugin; see :func:`make_plugin`."""
    return _guarded(plugin, "is constructed", import_class(plugin))


def _guarded(plugin: PluginInfo, what: str, run: Callable[[], Any]) -> Any:
    """Run third-party code: return its result or raise our error, and protect global state.

    A KeyboardInterrupt comes from the user; its subclasses do not.
    """
    where = _where(plugin)
    try:
        with _contained(plugin.distribution, f"{where}, while it {what},"):
            return run()
    except BaseException as error:
        if type(error) is KeyboardInterrupt or isinstance(error, GlobalStateWarning):
            raise
        cause = traceback.format_exception_only(error)[-1].strip()
        raise PluginError(f"{where} cannot be {what.removeprefix('is ')}: {cause}") from error


def _contained(distribution: str, who: str) -> AbstractContextManager[None]:
    """Protect global state from third-party code; our own code has tests."""
    return nullcontext() if _canonical(distribution) == GROUP else unchanged(who)


def _where(plugin: PluginInfo) -> str:
    return f"The {plugin.kind} {plugin.id} ({plugin.target}, version {plugin.version})"


def _find(kind: str, name: str) -> PluginInfo:
    """Look up a name or an id; exactly one plugin must match."""
    plugins = [plugin for plugin in list_plugins(kind) if plugin.kind == kind]
    found = [plugin for plugin in plugins if name == plugin.name and plugin.state != "broken"]
    found = [plugin for plugin in found if plugin.state == "ok"] or found
    if ":" in name:
        found = [plugin for plugin in plugins if _canonical(plugin.id) == _canonical(name)]
    if len(found) > 1:
        those = ", ".join(f"{plugin.id} ({plugin.target})" for plugin in found)
        raise PluginError(f"Several {kind}s are named {name!r}: {those}. Name one by its id.")
    if not found:
        raise PluginError(_unknown(kind, name, plugins))
    if found[0].state == "broken":
        raise PluginError(f"The {kind} {found[0].id} is broken:\n{found[0].error}")
    return found[0]


def _unknown(kind: str, name: str, plugins: list[PluginInfo]) -> str:
    """Say which plugins are installed, which was probably meant, and which are broken."""
    names = sorted({p.name if p.state == "ok" else p.id for p in plugins if p.state != "broken"})
    message = f"No {kind} named {name!r}; installed: {', '.join(names) or 'none'}."
    for close in difflib.get_close_matches(name, names, n=1):
        message += f" Did you mean {close!r}?"
    broken = sorted({p.id for p in list_plugins(kind) if p.state == "broken"})
    if broken:
        message += f" Broken: {', '.join(broken)} (see `python -m segclf plugins`)."
    return message


@functools.cache
def _discover() -> tuple[PluginInfo, ...]:
    """Query every entry point once, then resolve name conflicts."""
    plugins = [plugin for point in entry_points(group=GROUP) for plugin in ask(point)]
    plugins.sort(key=lambda plugin: (plugin.kind or "~", plugin.name, plugin.distribution))
    return tuple(_settle(plugin, plugins) for plugin in plugins)


def ask(point: EntryPoint) -> list[PluginInfo]:
    """List what one entry point offers; its errors are caught here."""
    whole = described(point)
    with _contained(whole.distribution, f"The plugin {whole.id}, while it is imported,"):
        hooks, error = _attempt(_hooks, point)
    if error:
        return [replace(whole, state="broken", error=error)]
    return [plugin for kind in KINDS for plugin in _offers(replace(whole, kind=kind), hooks)]


def described(point: EntryPoint) -> PluginInfo:
    """Describe an entry point without importing anything."""
    distribution, version = _origin(point)
    return PluginInfo(
        kind=None, name=point.name, distribution=distribution, version=version, target=point.value
    )


def _origin(point: EntryPoint) -> tuple[str, str]:
    """Return the distribution, or the module if the metadata are damaged."""
    dist: Any = point.dist
    name, _ = _attempt(lambda: dist.name)
    version, _ = _attempt(lambda: dist.version)
    return name or point.value, version or "?"


def _hooks(point: EntryPoint) -> pluggy.HookRelay:
    """Import an entry point and check its hooks, in a separate plugin manager."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    module = point.load()
    manager.register(module)
    manager.check_pending()
    if not manager.get_hookcallers(module):
        raise TypeError(f"{point.value} has no segclf hook; mark functions with segclf.hookimpl")
    return manager.hook


def _offers(whole: PluginInfo, hooks: pluggy.HookRelay) -> list[PluginInfo]:
    """List what one hook returns."""
    with _contained(whole.distribution, f"The plugin {whole.distribution}, while it is asked,"):
        offered, error = _attempt(_call, whole, hooks)
    return [replace(whole, state="broken", error=error)] if error else offered


def _call(whole: PluginInfo, hooks: pluggy.HookRelay) -> list[PluginInfo]:
    hook = getattr(hooks, f"segclf_{whole.kind}s")
    # pluggy drops None, the result of a forgotten `return`, from its list of results
    offer = next(iter(hook()), None) if hook.get_hookimpls() else {}
    if not isinstance(offer, dict):
        raise TypeError(f"{hook.name} must return a dict, got {offer!r:.80}")
    return [offered(whole, name, item) for name, item in offer.items()]


def _attempt(function: Callable[..., Any], *args: Any) -> tuple[Any, str]:
    """Call third-party code; any error becomes text."""
    try:
        return function(*args), ""
    except BaseException as error:
        if type(error) is KeyboardInterrupt:
            raise
        return None, traceback.format_exc()


def _settle(plugin: PluginInfo, plugins: list[PluginInfo]) -> PluginInfo:
    """Mark a plugin whose name another one also claims; our own keep their names."""
    same = [p for p in plugins if (p.kind, p.name) == (plugin.kind, plugin.name)]
    same = [p for p in same if p.state != "broken"]
    ours = [p for p in same if _canonical(p.distribution) == GROUP]
    if plugin.state == "broken" or len(same) == 1 or ours == [plugin]:
        return plugin
    those = ", ".join(f"{p.id} ({p.target})" for p in same)
    whose = "means segclf's own" if len(ours) == 1 else "is ambiguous"
    error = f"Several {plugin.kind}s share one name: {those}; {plugin.name!r} {whose}"
    return replace(plugin, state="conflict", error=f"{error}, this one is {plugin.id!r}.")


def _canonical(plugin_id: str) -> str:
    """Normalize the name of a distribution as PyPI does; the plugin's name is unchanged."""
    distribution, colon, name = plugin_id.partition(":")
    return re.sub(r"[-_.]+", "-", distribution).lower() + colon + name
