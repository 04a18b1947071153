import inspect
import pickle
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
from sklearn.base import ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils._param_validation import InvalidParameterError, StrOptions

from segclf import SupervisedSegmenter
from segclf.base import Estimator

LAST = ["random_state", "verbose"]


class Base(Estimator):
    """Share parameters.

    In two paragraphs.

    Parameters
    ----------
    low, high : float
        The limits.
    verbose : int
        How much to print.
    random_state : int or None
        The seed.

    Attributes
    ----------
    n_seen_ : int
        What was seen.
    """

    estimator: object = field(default=None, kw_only=False)
    low: float = 0.0
    high: float = 1.0
    verbose: int = 0
    random_state: object = None

    _parameter_constraints: ClassVar = {"low": [float], "verbose": ["verbose"]}


class Middle(Base):
    """Do something.

    Parameters
    ----------
    kind : {"a", "b"}
        Which.

        In two paragraphs.
    high : float or None
        The upper limit; None for none.

    Attributes
    ----------
    kind_ : str
        Which it was.

    See Also
    --------
    Base : The base.
    """

    kind: str = "a"
    high: float | None = 2.0

    _parameter_constraints: ClassVar = {"kind": [StrOptions({"a", "b"})], "low": [float, None]}


class Derived(Middle):
    another: int = 1
    low = 0.5


def names(kind):
    return list(inspect.signature(kind).parameters)


def test_a_subclass_needs_no_decorator():
    """Without the dataclass of the subclass, `another` would be lost in clones."""
    estimator = Derived(another=3, kind="b")
    assert clone(estimator).another == 3
    assert repr(estimator) == "Derived(another=3, kind='b')"
    assert pickle.loads(pickle.dumps(estimator)).get_params() == estimator.get_params()
    assert estimator != Derived(another=3, kind="b")  # as scikit-learn's
    with pytest.raises(TypeError, match="unexpected keyword argument 'anothr'"):
        Derived(anothr=3)


def test_a_subclass_in_a_subclass_of_ours():
    class Mine(SupervisedSegmenter):
        """Mine.

        Parameters
        ----------
        temper : float
            How hot.
        """

        temper: float = 1.0

    assert clone(Mine(temper=2.0, encoder="tiny")).temper == 2.0
    described = inspect.getdoc(Mine)
    assert described.index("\ntemper : float") < described.index("\nencoder : str")
    assert described.index("\nencoder : str") < described.index("\nmax_epochs : int")
    with pytest.raises(InvalidParameterError, match="'max_epochs' parameter of Mine"):
        Mine(max_epochs=-3).fit([[0.0, 1.0]], [0])


def test_constraints_are_those_of_the_bases_and_its_own():
    assert set(Derived._parameter_constraints) == {"low", "verbose", "kind"}
    assert Base._parameter_constraints["low"] == [float]
    Derived(low=None)._validate_params()
    with pytest.raises(InvalidParameterError, match="'verbose' parameter of Derived"):
        Derived(verbose="much")._validate_params()


def test_constraints_and_fields_of_several_bases():
    class Mixin:
        _parameter_constraints: ClassVar = {"kind": [str]}

    class Both(Mixin, Middle):
        """Both."""

    assert Both._parameter_constraints["kind"] == [str]
    assert names(Both) == names(Middle)


def test_order_is_own_then_bases_then_how_it_computes():
    assert names(Base) == ["estimator", "low", "high", "random_state", "verbose"]
    assert names(Derived) == ["estimator", "another", "kind", "low", "high", *LAST]
    assert list(inspect.signature(Derived.__init__).parameters)[1:] == names(Derived)
    assert Derived(7).estimator == 7
    with pytest.raises(TypeError, match="positional"):
        Derived(7, 8)


def test_a_new_default_without_annotation_is_one():
    assert Derived().low == Derived().get_params()["low"] == 0.5
    assert inspect.signature(Derived).parameters["low"].default == 0.5
    assert Base().low == 0.0

    class ByPosition(Derived):
        estimator = "given"

    assert ByPosition().estimator == "given"
    assert ByPosition("other").estimator == "other"


@pytest.mark.parametrize("default", [[], {}, set(), LogisticRegression()], ids=repr)
def test_a_default_that_all_would_share_is_refused(default):
    with pytest.raises(ValueError, match=r"mutable default|would be shared by all"):
        type("Shared", (Base,), {"__annotations__": {"shared": object}, "shared": default})
    with pytest.raises(ValueError, match=r"mutable default|would be shared by all"):
        type("Shared", (Base,), {"low": default})


def test_an_init_of_its_own_is_refused():
    with pytest.raises(TypeError, match=r"Own defines __init__, .* write `name: type"):

        class Own(Base):
            def __init__(self, low=3):
                super().__init__(low=low)


def test_a_decorator_of_old_does_no_harm():
    @dataclass(kw_only=True, eq=False, repr=False)
    class Old(Base):
        """Old."""

        another: int = field(default=1, kw_only=False)

    assert Old(7, 8).another == 8
    assert names(Old) == ["estimator", "another", *names(Base)[1:]]
    assert clone(Old(another=2)).another == 2


def test_class_constants_are_no_parameters():
    class Constant(Base):
        layer = "deep"
        _paper = 3

    assert names(Constant) == names(Base)


def test_docstring_is_completed():
    assert inspect.getdoc(Middle) == inspect.cleandoc(
        """
        Do something.

        Parameters
        ----------
        kind : {"a", "b"}
            Which.

            In two paragraphs.
        low : float
            The limits.
        high : float or None
            The upper limit; None for none.
        random_state : int or None
            The seed.
        verbose : int
            How much to print.

        Attributes
        ----------
        kind_ : str
            Which it was.
        n_seen_ : int
            What was seen.

        See Also
        --------
        Base : The base.
        """
    )


def test_docstring_of_a_class_without_one():
    described = inspect.getdoc(Derived)
    assert described.startswith("Do something.\n\nParameters\n----------\nkind : ")
    assert "See Also" not in described
    assert described.count("n_seen_ : int") == 1


def test_docstring_of_a_mixin_is_read():
    class Judge(ClassifierMixin):
        """Judge.

        Attributes
        ----------
        classes_ : array
            The classes.
        """

    class Judging(Judge, Base):
        """Judge by limits."""

    assert "\nclasses_ : array\n    The classes.\nn_seen_ : int" in Judging.__doc__


def test_without_any_docstring_there_is_none():
    """As under ``python -OO``."""

    class Silent(Estimator):
        low: float = 0.0

    class MoreSilent(Silent):
        high: float = 1.0

    assert MoreSilent.__doc__ is None
    assert names(MoreSilent) == ["high", "low"]


def test_without_docstrings():
    """As ``python -OO`` compiles it."""
    source = """
class Optimized(Base):
    '''Go.

    Parameters
    ----------
    speed : float
        How fast.
    '''

    speed: float = 1.0
"""
    scope = {"Base": Base, "__name__": __name__}
    exec(compile(source, "optimized", "exec", optimize=2), scope)
    assert "speed :" not in scope["Optimized"].__doc__
    assert names(scope["Optimized"]) == ["estimator", "speed", *names(Base)[1:]]
