from types import SimpleNamespace

import numpy as np
import pytest

from segclf.reports.proposal.pace import Pace, pace_of


def fitted(seconds_of_epochs, n_steps):
    return SimpleNamespace(history_={"seconds": np.array(seconds_of_epochs)}, n_steps_=n_steps)


def test_first_epoch_and_what_follows_training_are_fixed():
    network = fitted([11.0, 1.0, 1.0, 1.0], 40)  # 10 s to encode, .1 s a step
    assert pace_of(network, 20.0, share=0.5) == pytest.approx(Pace(34.0, 0.1))


def test_one_epoch_tells_no_two_things_apart():
    assert pace_of(fitted([8.0], 4), 10.0, share=0.5) == Pace(0.0, 2.5)


@pytest.mark.parametrize(("seconds", "steps"), [(60, 100), (11, 2), (10, 1), (1, 1)])
def test_steps_that_fit(seconds, steps):
    assert Pace(10.0, 0.5).steps_within(seconds) == steps
