"""Checks of scikit-learn's conventions: parameters, clone, and what ``fit`` may change."""

import inspect
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from typing import Any

import joblib
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from segclf.testing.report import Check
from segclf.testing.samples import answer, assert_equal, fitted, fresh, make_samples


def check_init_only_stores(estimator: Any) -> None:
    """The constructor stores its arguments unchanged and does nothing else."""
    names = sorted(estimator.get_params(deep=False))
    given = {name: object() for name in names}
    made = type(estimator)(**given)
    assert vars(made).keys() == given.keys(), "the constructor sets more than its parameters"
    for name, value in given.items():
        assert getattr(made, name) is value, f"the constructor changes {name!r}"


def check_parameters_are_named(estimator: Any) -> None:
    """The constructor has no ``*args`` and no ``**kwargs``, so all parameters are named."""
    parameters = inspect.signature(type(estimator)).parameters.values()
    catch_all = [str(p) for p in parameters if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    assert catch_all == []


def check_set_params(estimator: Any) -> None:
    """``set_params`` accepts the result of ``get_params`` and rejects unknown parameters."""
    copy = clone(estimator)
    before = copy.get_params()
    assert copy.set_params(**before) is copy
    assert _same(copy.get_params(), before)
    try:
        copy.set_params(no_such_parameter=1)
    except ValueError:
        return
    raise AssertionError("set_params accepts an unknown parameter")


def check_clone(estimator: Any) -> None:
    """A clone has equal parameters and no fitted attributes."""
    trained = fitted(estimator)
    copy = clone(trained)
    assert copy is not trained
    assert _same(copy.get_params(), trained.get_params())
    assert vars(copy).keys() == set(copy.get_params(deep=False)), "a clone keeps fitted attributes"


def check_fit_returns_self(estimator: Any) -> None:
    """``fit`` returns the estimator itself, fitted."""
    samples = make_samples()
    copy = fresh(estimator)
    assert copy.fit(samples.images, samples.masks) is copy
    check_is_fitted(copy)


def check_fit_leaves_parameters(estimator: Any) -> None:
    """``fit`` changes no parameter, not even of nested estimators."""
    copy = fresh(estimator)
    before = joblib.hash(copy.get_params())
    samples = make_samples()
    copy.fit(samples.images, samples.masks)
    assert joblib.hash(copy.get_params()) == before, "fit changes a parameter"


def check_names_of_learned(estimator: Any) -> None:
    """Fitted attributes end (or begin) with an underscore; predicting changes nothing."""
    samples = make_samples()
    copy = fitted(estimator)
    learned = vars(copy).keys() - set(copy.get_params(deep=False))
    assert [n for n in sorted(learned) if not n.endswith("_") and not n.startswith("_")] == []
    before = joblib.hash(_state(copy))
    answer(copy, samples.images)
    assert joblib.hash(_state(copy)) == before, "predicting changes the estimator"


def check_unfitted(estimator: Any) -> None:
    """Predicting before ``fit`` raises ``NotFittedError``."""
    samples = make_samples()
    copy = fresh(estimator)
    calls: dict[str, Callable[[], Any]] = {
        "transform": lambda: copy.transform(samples.images),
        "predict": lambda: copy.predict(samples.images),
        "predict_proba": lambda: copy.predict_proba(samples.images),
        "score": lambda: copy.score(samples.images, samples.masks),
    }
    for name in (name for name in calls if hasattr(copy, name)):
        try:
            calls[name]()
        except NotFittedError:
            continue
        raise AssertionError(f"{name} works before fit")


def check_travels(estimator: Any) -> None:
    """A fitted estimator predicts the same after it was sent to another process."""
    samples = make_samples()
    trained = fitted(estimator)
    # This is the pickler between processes; nothing is read from a file.
    arrived = ForkingPickler.loads(ForkingPickler.dumps(trained))
    assert_equal(answer(arrived, samples.images), answer(trained, samples.images))
    assert _same(_state(arrived), _state(trained))


def check_refit(estimator: Any) -> None:
    """A second ``fit`` on other data forgets the first."""
    first, second = make_samples(n_classes=3), make_samples(size=(12, 20))
    twice = fresh(estimator).fit(first.images, first.masks).fit(second.images, second.masks)
    once = fitted(estimator, second)
    assert_equal(answer(twice, second.images), answer(once, second.images))
    assert vars(twice).keys() == vars(once).keys()


def _state(estimator: Any) -> Any:
    return estimator.__getstate__()


def _same(parameters: Any, others: Any) -> bool:
    return bool(joblib.hash(parameters) == joblib.hash(others))


CHECKS: tuple[Check, ...] = (
    check_init_only_stores,
    check_parameters_are_named,
    check_set_params,
    check_clone,
    check_fit_returns_self,
    check_fit_leaves_parameters,
    check_names_of_learned,
    check_unfitted,
    check_travels,
    check_refit,
)
