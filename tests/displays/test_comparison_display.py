import numpy as np
from sklearn.dummy import DummyClassifier

from segclf.displays import ComparisonDisplay

X, Y = np.zeros((8, 16, 16)), np.array([0, 0, 0, 0, 0, 1, 1, 1])


def test_one_titled_row_a_model_with_the_same_images():
    models = {
        name: DummyClassifier(strategy="constant", constant=k).fit(X, Y)
        for k, name in enumerate(("always 0", "always 1"))
    }
    display = ComparisonDisplay.from_estimators(models, X[4:], Y[4:], n_images=3)
    rows = display.figure_.subfigs
    assert [row.get_suptitle() for row in rows] == ["always 0", "always 1"]
    marks = [[ax.get_title()[0] for ax in row.axes] for row in rows]
    assert marks == [["✓", "✗", "✗"], ["✗", "✓", "✓"]]


def test_drawn_again_into_a_given_figure():
    from matplotlib import pyplot

    models = {"prior": DummyClassifier().fit(X, Y)}
    figure = pyplot.figure()
    display = ComparisonDisplay.from_estimators(models, X, n_images=2).plot(figure=figure)
    assert display.figure_ is figure
    assert len(figure.subfigs[0].axes) == 2
