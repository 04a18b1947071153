"""The parameters of every estimator that can resume after its process was killed."""

import os
from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from segclf.base.estimator import Estimator


class CheckpointParameters(Estimator):
    """Where a fit saves its state, and how often.

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
        """Source of the seeds; with a checkpoint they are the same in the next call of `fit`."""
        random_state = getattr(self, "random_state", None)
        return 0 if random_state is None and self.checkpoint is not None else random_state

    def _lend_checkpoint(self, part: Any) -> Any:
        """Pass the checkpoint folder on to an estimator that will be fitted, and return it."""
        if self.checkpoint is not None and hasattr(part, "get_params"):
            ours = {"checkpoint": self.checkpoint, "checkpoint_every": self.checkpoint_every}
            given = part.get_params()
            for name in (n for n in given if n.rpartition("__")[2] == "checkpoint"):
                if given[name] is None:
                    start = name.removesuffix("checkpoint")
                    part.set_params(**{start + each: value for each, value in ours.items()})
        return part
