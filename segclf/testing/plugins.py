"""Checks of plugins: the contract of their kind and, except for readers, scikit-learn's."""

from typing import Any

from sklearn.base import clone

from segclf.hookspecs import PseudoLabeler, Reader, Summarizer, Thresholder
from segclf.registry import KINDS, list_plugins, load_plugin, make_plugin
from segclf.testing import pseudo_labelers, readers, summarizers, thresholders
from segclf.testing.conventions import check_init_only_stores, check_parameters_are_named
from segclf.testing.report import Check, run_all

PROTOCOLS = {
    "pseudo_labeler": PseudoLabeler,
    "reader": Reader,
    "summarizer": Summarizer,
    "thresholder": Thresholder,
}


def plugin_checks(kind: str) -> tuple[Check, ...]:
    """Return the checks of one kind of plugin, each a function of an instance.

    Parameters
    ----------
    kind : {"pseudo_labeler", "reader", "summarizer", "thresholder"}
        The kind of plugin.

    Returns
    -------
    tuple of callable
        Each raises an error if the plugin breaks the contract of its kind.

    Raises
    ------
    ValueError
        If the kind is unknown.

    Examples
    --------
    >>> from segclf.testing import plugin_checks
    >>> [check.__name__ for check in plugin_checks("thresholder")][-1]
    'check_mask_is_repeatable'
    """
    if kind not in KINDS:
        raise ValueError(f"No kind of plugin named {kind!r}; expected one of {', '.join(KINDS)}.")
    if kind == "reader":  # readers have no parameters to search over
        return readers.CHECKS
    grammar = (check_parameters_are_named, check_init_only_stores, check_clones)
    return (*grammar, *_promises(kind))


def check_plugin(kind: str, name: str) -> None:
    """Check that an installed plugin works by name and meets the contract of its kind.

    Parameters
    ----------
    kind : {"pseudo_labeler", "reader", "summarizer", "thresholder"}
        The kind of plugin.
    name : str
        Its name, or ``"distribution:name"``.

    Raises
    ------
    ExceptionGroup
        With the error of each failed check and the name of the check.
    ValueError
        If the plugin does not exist or is broken.

    Examples
    --------
    >>> from segclf.testing import check_plugin
    >>> check_plugin("summarizer", "threshold")
    """
    checks = plugin_checks(kind)
    listed = [plugin for plugin in list_plugins(kind) if name in (plugin.name, plugin.id)]
    plugin = make_plugin(kind, name)
    assert isinstance(plugin, load_plugin(kind, name))
    assert isinstance(plugin, PROTOCOLS[kind]), f"{name} lacks a method of {kind}s"
    assert any(one.state == "ok" or name == one.id for one in listed), f"{name} is in conflict"
    run_all(checks, plugin, name=f"the {kind} {name}")


def check_clones(plugin: Any) -> None:
    """A clone has the same parameters, and ``set_params`` accepts them."""
    copy = clone(plugin)
    assert copy is not plugin
    assert repr(copy.get_params()) == repr(plugin.get_params())
    assert copy.set_params(**copy.get_params()) is copy


def _promises(kind: str) -> tuple[Check, ...]:
    rooms = {
        "pseudo_labeler": pseudo_labelers.CHECKS,
        "summarizer": summarizers.CHECKS,
        "thresholder": thresholders.CHECKS,
    }
    return rooms[kind]
