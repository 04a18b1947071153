"""The duration of a fit, and the number of steps that fit into a time limit."""

from typing import Any, NamedTuple


class Pace(NamedTuple):
    """Seconds of a fit: a fixed part, and a part for each step."""

    fixed: float
    step: float

    def steps_within(self, seconds: float) -> int:
        """Return how many steps end in time, at least one.

        Examples
        --------
        >>> Pace(fixed=10.0, step=0.5).steps_within(30)
        40
        """
        return max(1, int((seconds - self.fixed) / self.step))


def pace_of(network: Any, seconds: float, share: float) -> Pace:
    """Measure the pace of a fit; its first epoch may include encoding the images.

    Parameters
    ----------
    network : estimator
        The fitted estimator of the network.
    seconds : float
        Duration of the whole fit.
    share : float
        Share of all images that it was trained on; the fixed part is proportional to it.
    """
    of_epochs = network.history_["seconds"]
    if len(of_epochs) == 1:
        return Pace(0.0, seconds / network.n_steps_)
    later = float(of_epochs[1:].sum())
    n_later = network.n_steps_ * (1 - 1 / len(of_epochs))
    return Pace(max(0.0, seconds - later) / share, later / n_later)
