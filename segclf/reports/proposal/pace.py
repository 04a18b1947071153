"""How long a fit takes, and so how many steps there is time for."""

from typing import Any, NamedTuple


class Pace(NamedTuple):
    """Seconds of a fit: whatever the number of steps, and for each step on top."""

    fixed: float
    step: float

    def steps_within(self, seconds: float) -> int:
        """Return how many steps end in time, but one at least.

        Examples
        --------
        >>> Pace(fixed=10.0, step=0.5).steps_within(30)
        40
        """
        return max(1, int((seconds - self.fixed) / self.step))


def pace_of(network: Any, seconds: float, share: float) -> Pace:
    """Measure the pace of a fit, whose first epoch may have encoded the images.

    Parameters
    ----------
    network : estimator
        The fitted one of the network.
    seconds : float
        How long the whole fit took.
    share : float
        Of all images, those that it learned from; what is fixed grows with them.
    """
    of_epochs = network.history_["seconds"]
    if len(of_epochs) == 1:
        return Pace(0.0, seconds / network.n_steps_)
    later = float(of_epochs[1:].sum())
    n_later = network.n_steps_ * (1 - 1 / len(of_epochs))
    return Pace(max(0.0, seconds - later) / share, later / n_later)
