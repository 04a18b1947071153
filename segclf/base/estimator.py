"""The base class of all estimators: annotated fields of a subclass are its parameters."""

import importlib
import inspect
import os
from dataclasses import Field, dataclass, field, fields, is_dataclass
from typing import Any, ClassVar, dataclass_transform

from sklearn.base import BaseEstimator

from segclf.base.docstring import complete_docstring

# The end of every signature: the seed, how to compute, what to print.
LAST = ("random_state", "device", "precision", "n_threads", "verbose")


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(field,))
class Estimator(BaseEstimator):
    """Base class of every estimator: a subclass is ``class X(Base)`` with fields.

    A subclass, at any depth, needs no decorator and repeats nothing:

    - Its annotated fields are keyword parameters of ``__init__``, ``get_params`` and ``clone``. A
      ``field(default=..., kw_only=False)`` may be passed by position. A new default for an
      inherited parameter needs no annotation.
    - Its ``_parameter_constraints``, in scikit-learn's form, are only its own; those of its bases
      are added.
    - Its docstring describes only its own parameters and fitted attributes; those of its bases are
      added. In signature and docstring its own come first, then those of its nearest base, and so
      on; the last ones are always ``random_state``, ``device``, ``precision``, ``n_threads`` and
      ``verbose``.

    An invalid class raises an error where it is defined: TypeError if it defines ``__init__``,
    ValueError for a default that all instances would share, such as a list or an estimator.

    Examples
    --------
    >>> from sklearn.utils._param_validation import Options
    >>> from segclf.base import Estimator
    >>> class Rounded(Estimator):
    ...     '''Round numbers.
    ...
    ...     Parameters
    ...     ----------
    ...     n_digits : int
    ...         Number of digits after the point.
    ...     '''
    ...
    ...     n_digits: int = 0
    ...     _parameter_constraints = {"n_digits": [Options(int, {0, 1, 2})]}
    >>> class Logged(Rounded):
    ...     '''Round numbers, and print them.
    ...
    ...     Parameters
    ...     ----------
    ...     prefix : str
    ...         What to print first.
    ...     '''
    ...
    ...     prefix: str = ""
    ...     n_digits = 2
    >>> Logged(prefix=">", n_digits=1)
    Logged(n_digits=1, prefix='>')
    >>> import inspect
    >>> inspect.signature(Logged)
    <Signature (*, prefix: str = '', n_digits: int = 2) -> None>
    >>> [line for line in Logged.__doc__.splitlines() if " : " in line]
    ['prefix : str', 'n_digits : int']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    _doc_link_module = "segclf"

    @property
    def _doc_link_template(self) -> str:
        """Link of the HTML representation; empty without a site, or if the class is not public.

        The environment variable SEGCLF_DOCS is the address of the site, or of its folder.
        """
        site, name = os.environ.get("SEGCLF_DOCS", ""), type(self).__name__
        public = importlib.import_module("segclf").__all__
        return f"{site.rstrip('/')}/api/segclf.{name}.html" if site and name in public else ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make the subclass a dataclass, and complete it from its bases."""
        super().__init_subclass__(**kwargs)
        written = cls.__doc__
        _make_dataclass(cls)
        constraints = (getattr(base, "_parameter_constraints", {}) for base in cls.__bases__[::-1])
        own = vars(cls).get("_parameter_constraints", {})
        cls._parameter_constraints = {k: v for each in (*constraints, own) for k, v in each.items()}
        signature = _ordered_signature(cls)
        cls.__init__.__signature__ = signature  # type: ignore[attr-defined]
        cls.__doc__ = complete_docstring(cls, written, list(signature.parameters)[1:])


def _make_dataclass(cls: type[Any]) -> None:
    if "__init__" in vars(cls):
        raise TypeError(
            f"{cls.__name__} defines __init__, but an Estimator's is generated from its fields: "
            "write `name: type = default` in the body of the class, and check values in fit."
        )
    _annotate_overrides(cls)
    # Without a docstring, dataclass would write one, which is slow.
    cls.__doc__ = cls.__doc__ or cls.__name__
    dataclass(kw_only=True, eq=False, repr=False)(cls)
    for one in fields(cls):
        if hasattr(type(one.default), "set_params"):
            raise ValueError(
                f"{cls.__name__}.{one.name} = {one.default!r:.80} would be shared by all "
                "estimators of this class; take None as the default, and create the value in fit."
            )


def _annotate_overrides(cls: type[Any]) -> None:
    """Make a field of a new default, ``max_epochs = 3``, that repeats no annotation."""
    own = inspect.get_annotations(cls)
    bases = [base for base in cls.__bases__[::-1] if is_dataclass(base)]
    inherited = {one.name: one for base in bases for one in fields(base)}
    for name in (inherited.keys() & vars(cls).keys()) - own.keys():
        value = vars(cls)[name]
        if not isinstance(value, Field):
            setattr(cls, name, field(default=value, kw_only=bool(inherited[name].kw_only)))
        own[name] = inherited[name].type
    cls.__annotations__ = own


def _ordered_signature(cls: type[Any]) -> inspect.Signature:
    """Put own parameters before those of the bases; positional ones keep their place."""
    signature = inspect.signature(cls.__init__)
    bases = [base for base in cls.__bases__ if is_dataclass(base)]
    inherited = [name for base in bases for name in inspect.signature(base.__init__).parameters]
    places = {name: place for place, name in enumerate(inherited)}

    def place(one: inspect.Parameter) -> tuple[int, int]:
        if one.kind is not one.KEYWORD_ONLY:
            return -1, 0
        last = LAST.index(one.name) + 1 if one.name in LAST else 0
        return last, places.get(one.name, -1)

    return signature.replace(parameters=sorted(signature.parameters.values(), key=place))
