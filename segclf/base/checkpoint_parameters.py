"""The parameters of every estimator with a long fit: how it resumes, and what it prints."""

import os
from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from segclf.base.estimator import Estimator


class CheckpointParameters(Estimator):
    """Where a fit saves its state, how often, and what it prints.

    Parameters
    ----------
    checkpoint : str, path or None
        Folder in which a fit saves its state. After the process was killed, the same call of `fit`
        resumes from there, and ends with the same bits on the same device and number of threads.
        The result of a finished fit is loaded at once. A fit is identified by its parameters, the
        images and everything given for them, its seed, the kind of device and the code installed.
        Nested estimators without a checkpoint use this one. With ``random_state=None``, seeds are
        then those of ``random_state=0``. See docs/resume.md.
    checkpoint_every : int, float or "auto"
        Save after this number of epochs (int), or at the end of an epoch once this number of
        seconds (float) has passed. "auto" saves as often as it can within 2 % of the training time.
    verbose : int
        With 1 or more, print a line for each epoch, and the name of a nested estimator before its
        fit. Nested estimators whose ``verbose`` is 0 use this one.
    """

    checkpoint: Any = None
    checkpoint_every: Any = "auto"
    verbose: int = 0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "checkpoint": [str, os.PathLike, None],
        "checkpoint_every": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, None, closed="neither"),
            StrOptions({"auto"}),
        ],
        "verbose": ["verbose"],
    }

    @property
    def _seeds(self) -> Any:
        """Source of the seeds; with a checkpoint they are the same in the next call of `fit`."""
        random_state = getattr(self, "random_state", None)
        return 0 if random_state is None and self.checkpoint is not None else random_state

    def _lend(self, part: Any) -> Any:
        """Pass checkpoint folder and verbosity on to an estimator to be fitted, and return it."""
        if self.checkpoint is not None:
            ours = {"checkpoint": self.checkpoint, "checkpoint_every": self.checkpoint_every}
            for start, value in _given(part, "checkpoint"):
                if value is None:
                    part.set_params(**{start + each: value for each, value in ours.items()})
        if self.verbose:
            quiet = {start: value for start, value in _given(part, "verbose") if value == 0}
            # scikit-learn's pipelines take a bool.
            loud = {f"{start}verbose": type(v)(self.verbose) for start, v in quiet.items()}
            part.set_params(**loud)
        return part


def _given(part: Any, name: str) -> list[tuple[str, Any]]:
    """List a parameter at all levels: the prefix of its name, and its value."""
    given = part.get_params() if hasattr(part, "get_params") else {}
    return [(n.removesuffix(name), v) for n, v in given.items() if n.rpartition("__")[2] == name]
