"""The parameters of every estimator that can go on after its process was killed."""

import os
from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from segclf.base.estimator import Estimator


class CheckpointParameters(Estimator):
    """Where a fit writes how far it is, and how often.

    Parameters
    ----------
    checkpoint : str, path or None
        Folder in which a fit writes where it stands, so that the same call of `fit` goes on there
        after the process was killed, and ends with the same bits on the same device and number of
        threads; one that was finished is found again at once. A fit is known by its parameters, the
        images and all that is said of them, its seed, the kind of device and the code installed.
        Estimators inside that have none take this one. With ``random_state=None`` seeds are then
        those of ``random_state=0``. See docs/resume.md.
    checkpoint_every : int, float or "auto"
        After so many epochs (int), or at the end of an epoch once so many seconds (float) are over.
        "auto" is as often as takes 2 % of the time of training at most.
    """

    checkpoint: Any = None
    checkpoint_every: Any = "auto"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "checkpoint": [str, os.PathLike, None],
        "checkpoint_every": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, None, closed="neither"),
            StrOptions({"auto"}),
        ],
    }

    @property
    def _seeds(self) -> Any:
        """What seeds come from: with a checkpoint they are the same in the next call of `fit`."""
        random_state = getattr(self, "random_state", None)
        return 0 if random_state is None and self.checkpoint is not None else random_state

    def _lend_checkpoint(self, part: Any) -> Any:
        """Let what is inside of an estimator that will be fitted have the folder, and return it."""
        if self.checkpoint is not None and hasattr(part, "get_params"):
            ours = {"checkpoint": self.checkpoint, "checkpoint_every": self.checkpoint_every}
            given = part.get_params()
            for name in (n for n in given if n.rpartition("__")[2] == "checkpoint"):
                if given[name] is None:
                    start = name.removesuffix("checkpoint")
                    part.set_params(**{start + each: value for each, value in ours.items()})
        return part
