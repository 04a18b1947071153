"""Trainings that end as if their process was killed, and how many epochs were trained."""

import contextlib

from segclf.cache import digest, learned


class Killed(BaseException):
    """Nobody catches it."""


class Watch:
    """Counts the epochs that are trained, and kills before one more than `most`."""

    def __init__(self, train_epoch):
        self.n_epochs, self.most, self._train_epoch = 0, float("inf"), train_epoch

    def __call__(self, *args):
        if self.n_epochs >= self.most:
            raise Killed
        self.n_epochs += 1
        return self._train_epoch(*args)

    def run(self, function, most=float("inf")):
        """Return what it returned, or None where it was killed, and the epochs that it took."""
        self.n_epochs, self.most, result = 0, most, None
        with contextlib.suppress(Killed):
            result = function()
        self.most = float("inf")
        return result, self.n_epochs


def bits(estimator):
    """Digest what it learned; of the account of epochs all but the seconds."""
    state = learned(estimator)
    history = state.pop("history_", {})
    return digest(state, {name: history[name] for name in history if name != "seconds"})
