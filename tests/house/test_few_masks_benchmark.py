"""What `benchmarks.semi_supervised` gives methods to learn from, and makes tables of."""

import argparse
import importlib

import numpy as np
import pytest
from house.modules import ROOT
from scipy.stats import ttest_1samp


@pytest.fixture
def part(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda name: importlib.import_module(f"benchmarks.semi_supervised.{name}")


def test_masks_are_given_by_label_two_at_least_and_smaller_fractions_are_among_larger(part):
    labels = np.repeat([0, 1], [60, 20])
    masks = [None if row % 10 == 0 else np.full((2, 2), label) for row, label in enumerate(labels)]
    cells = [
        part("cells").Cell(np.zeros((80, 2, 2, 3)), labels, masks, fraction, {}, seed=1)
        for fraction in (0.05, 0.5, None)
    ]
    few, half, every = (cell.given for cell in cells)
    counts = [np.bincount(labels[given]).tolist() for given in (few, half, every)]
    assert counts == [[3, 2], [27, 9], [54, 18]]
    assert (few <= half).all()
    assert (half <= every).all()
    assert sum(mask is not None for mask in cells[0].few) == 5


def test_training_images_are_as_the_split_by_label_and_those_with_masks_come_first(part):
    split = np.repeat(["train", "test"], [40, 4])
    labels = np.tile([0, 1], 22)
    data = {
        "images": np.arange(44)[:, None, None, None],
        "labels": labels,
        "split": split,
        "masks": [np.ones((1, 1)) if row < 12 else None for row in range(44)],
    }
    cell = part("cells").make_cell(data, None, {"images": 16}, seed=0)
    rows = cell.images.ravel()
    assert np.bincount(cell.labels).tolist() == [8, 8]
    assert rows.max() < 40
    assert set(range(12)) <= set(rows.tolist())


def test_every_table_is_there_whatever_is_missing(part):
    tables, methods = part("tables"), part("methods")
    scores = {methods.MASKS: [0.2, 0.3, 0.4], methods.ALL_MASKS: [0.6, 0.7, 0.8]}
    scores |= {methods.BOOSTED: [0.4, 0.4, 0.5]}
    rows = [
        row(name, seed, method, value + 0.1 * (name == "b"))
        for name in "ab"
        for method, values in scores.items()
        for seed, value in enumerate(values)
    ]
    report = tables.make_report(rows, n_tasks=99)
    low, high = ttest_1samp([0.2, 0.1, 0.1], 0).confidence_interval(0.95)
    gain = f"+0.133 ({low:+.3f} to {high:+.3f})"
    assert f"| boosted | {gain} (33%) |" in report
    assert f"| boosted less masks alone | {gain} | {gain} | {gain} |" in report
    without = [r for r in rows if r["task"][:2] != ("b", 2)]  # a seed that one set lacks
    assert f"| boosted less masks alone | {gain} |" in tables.make_report(without, n_tasks=99)
    for few in ([], rows[:1], rows[3:5]):
        assert tables.make_report(few, n_tasks=99).startswith(f"{len(few)} of 99 tasks")


def row(name, seed, method, iou):
    fraction = None if method == "all masks" else 0.1
    task = (name, seed, fraction, method, None)
    return {"task": task, "iou": iou, "n_masks": 4, "n_positive": 2, "seconds": 1.0}


def test_what_matters_most_comes_first(part):
    main, methods = part("__main__"), part("methods")
    options = argparse.Namespace(
        sets=["a", "b"], seeds=[0, 1], fractions=[0.1, 0.5], sweep_sets=["a"]
    )
    options.methods = list(methods.METHODS)
    tasks = main.make_tasks(options)
    assert len(tasks) == len(set(tasks))
    n_first = 2 * 2 * (2 + len(main.FIRST))
    assert {task[3] for task in tasks[:n_first]} == {*main.FIRST, *main.WITHOUT_FRACTION[:2]}
    assert {task[2] for task in tasks[:n_first]} == {0.1, None}
    assert [task for chain in main.chains(tasks) for task in chain] == tasks
    assert all(len({task[:3] for task in chain}) == 1 for chain in main.chains(tasks))


def test_dilated_masks_have_the_iou_that_is_asked_for(part):
    masks = [np.zeros((40, 40), dtype=np.uint8) for _ in range(2)]
    masks[0][10:16, 10:18] = 1
    masks[1][20:30, 5:12] = 1
    for iou in (0.2, 0.5, 0.9):
        found = part("methods").dilated(masks, iou)
        assert (found >= masks).all()
        assert np.sum(masks) / np.sum(found) == pytest.approx(iou, abs=0.01)


def test_each_finding_becomes_its_box(part):
    mask = np.zeros((6, 6), dtype=np.uint8)
    mask[[0, 1, 2], [0, 1, 1]] = 1
    mask[4:, 3] = 1
    expected = np.zeros_like(mask)
    expected[0, 0] = 1
    expected[1:3, 1] = 1
    expected[4:, 3] = 1
    np.testing.assert_array_equal(part("methods").boxed(mask), expected)
