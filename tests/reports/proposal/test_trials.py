import numpy as np
import pytest

from segclf.reports.proposal.result import EncoderTrial
from segclf.reports.proposal.trials import best

NONE = [np.nan] * 3


def trial(name, auroc, iou=NONE):
    return EncoderTrial(name, None, 0.0, np.array(auroc), np.array(iou))


@pytest.mark.parametrize(
    ("cheap", "dear", "expected"),
    [
        (([0.8, 0.9, 0.7],), ([0.8, 0.9, 0.7],), "cheap"),
        (([0.8, 0.9, 0.7],), ([0.9, 1.0, 0.8],), "dear"),  # in every fold by as much
        (([0.8, 0.9, 0.7],), ([0.7, 1.0, 0.76],), "cheap"),  # by .02, with an error of .06
        (([0.9, 1.0, 0.8],), ([0.8, 0.9, 0.7],), "cheap"),
        (([0.8, 0.9, 0.7], [0.3, 0.3, 0.4]), ([0.8, 0.9, 0.7], [0.5, 0.5, 0.5]), "dear"),
        (([0.9, 0.9, 0.9], [0.3, 0.3, 0.4]), ([0.8, 0.8, 0.8], [0.5, 0.5, 0.5]), "cheap"),
        (([0.8, np.nan, 0.7],), ([0.9, np.nan, 0.8],), "dear"),
        (([0.8],), ([0.9],), "dear"),  # of one fold there is no error
    ],
)
def test_cheapest_that_is_as_good(cheap, dear, expected):
    assert best([trial("cheap", *cheap), trial("dear", *dear)]).encoder == expected


def test_only_those_as_good_by_auroc_are_compared_by_iou():
    trials = [
        trial("cheap", [0.8, 0.9, 0.7], [0.2, 0.2, 0.2]),
        trial("worse", [0.5, 0.6, 0.4], [0.9, 0.9, 0.9]),
        trial("dear", [0.8, 0.9, 0.7], [0.4, 0.4, 0.4]),
    ]
    assert best(trials).encoder == "dear"
