"""The charts of docs/results.md can be drawn from the tables that the page has today."""

import runpy

import pytest
from house.modules import ROOT

plt = pytest.importorskip("matplotlib.pyplot")
CHARTS = runpy.run_path(str(ROOT / "docs" / "make_charts.py"))["CHARTS"]


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_shows_numbers_of_the_page(name):
    page = (ROOT / "docs" / "results.md").read_text()
    assert f"(gallery/{name}.png)" in page
    figure, axes = plt.subplots()
    CHARTS[name](axes, page)
    assert axes.has_data()
    plt.close(figure)


def test_a_table_that_is_missing_is_named():
    figure, axes = plt.subplots()
    with pytest.raises(ValueError, match="No table 'set"):
        CHARTS["few_labels"](axes, "nothing")
    plt.close(figure)
