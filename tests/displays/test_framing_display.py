from types import SimpleNamespace

import numpy as np

from segclf.displays import FramingDisplay


def curve(cost, auroc):
    return SimpleNamespace(cost=np.array(cost), auroc=np.array(auroc))


LABELS = curve([[10.0, 10.0], [20.0, 20.0]], [[0.5, 0.7], [0.6, 0.8]])
MASKS = curve([[30.0, 30.0], [60.0, 62.0]], [[0.8, 0.8], [0.9, 1.0]])
CHEAP = curve([[20.0, 19.0]], [[0.7, 0.7]])


def drawn(affordable):
    report = SimpleNamespace(classification=LABELS, segmentation=MASKS, affordable=affordable)
    return FramingDisplay.from_report(report)


def test_curves_are_means_of_folds_in_order_of_cost():
    display = drawn(CHEAP)
    labels, masks = display.ax_.lines
    np.testing.assert_allclose(labels.get_xydata(), [[10, 0.6], [20, 0.7]])
    np.testing.assert_allclose(masks.get_xydata(), [[19.5, 0.7], [30, 0.8], [61, 0.95]])
    assert display.figure_ is display.ax_.figure


def test_bands_are_standard_errors():
    band = drawn(None).ax_.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == 0.6 - 0.1 / np.sqrt(2)
    assert band[:, 1].max() == 0.7 + 0.1 / np.sqrt(2)


def test_without_affordable_masks_and_on_given_axes():
    ax = drawn(CHEAP).ax_
    display = FramingDisplay({"labels": (LABELS.cost, LABELS.auroc)}).plot(ax=ax)
    assert display.ax_ is ax
    assert len(drawn(None).ax_.lines[1].get_xdata()) == 2
