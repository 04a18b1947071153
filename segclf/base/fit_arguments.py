"""Which arguments a fit takes: of our estimators, pipelines, searches and any other class."""

from inspect import Parameter, signature
from typing import Any

from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object

from segclf.data import Whole


def accepted(estimator: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Return the given arguments that an estimator's `fit` takes, by the names it has for them.

    A `Pipeline` takes the arguments of its last step. A search takes those of its estimator that
    can be cut into folds, and groups for its splitter. With metadata routing both take what is
    requested.

    Parameters
    ----------
    estimator : estimator
        With ``fit``.
    given : dict
        Values by name; None means not given.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> given = {"sample_weight": [1, 2], "groups": [0, 1], "labels": None}
    >>> accepted(LogisticRegression(), given)
    {'sample_weight': [1, 2]}
    >>> accepted(make_pipeline(LogisticRegression()), given)
    {'logisticregression__sample_weight': [1, 2]}
    """
    given = {name: value for name, value in given.items() if value is not None}
    parameters = signature(estimator.fit).parameters
    named = {name: value for name, value in given.items() if name in parameters}
    if len(named) == len(given) or not _takes_any(parameters):
        return named
    if getattr(estimator, "_takes_checked_masks", False):
        return given
    if get_config()["enable_metadata_routing"] and hasattr(estimator, "get_metadata_routing"):
        requested = get_routing_for_object(estimator).consumes("fit", given)
        return {name: given[name] for name in requested}
    if isinstance(estimator, Pipeline):
        return _of_last_step(estimator, given)
    inner = getattr(estimator, "estimator", None)
    if hasattr(inner, "fit"):
        named |= {n: v for n, v in accepted(inner, given).items() if _is_handed_on(v)}
    if hasattr(estimator, "refit") and "groups" in given:
        named["groups"] = given["groups"]
    return named


def _is_handed_on(value: Any) -> bool:
    """Tell whether a search can cut a value into folds, or passes it on whole on purpose."""
    return hasattr(value, "__len__") or isinstance(value, Whole)


def _takes_any(parameters: Any) -> bool:
    return any(each.kind is Parameter.VAR_KEYWORD for each in parameters.values())


def _of_last_step(pipeline: Pipeline, given: dict[str, Any]) -> dict[str, Any]:
    name, step = pipeline.steps[-1]
    taken = accepted(step, given) if hasattr(step, "fit") else {}
    return {f"{name}__{key}": value for key, value in taken.items()}
