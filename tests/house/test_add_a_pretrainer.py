"""Adding a pretrainer takes its file and one line: the worked example, in a fresh tree."""

import re

import pytest
from house.worked_example import LINTERS, WorkedExample, find_linter, run

from segclf.testing import pretrainer_checks

EXAMPLE = WorkedExample("add_a_pretrainer.md")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return EXAMPLE.plant(tmp_path_factory.mktemp("tree"), "tests/test_every_estimator.py")


def test_it_is_short():
    assert len(EXAMPLE.method.splitlines()) < 100


@pytest.mark.slow
def test_it_passes_every_check_that_looks_for_pretrainers(tree):
    report = EXAMPLE.run_tests(tree, "tests/test_every_estimator.py")
    for line in EXAMPLE.found_by_itself():
        assert line in report
    passed = set(re.findall(rf"::(test_\w+)\[.*{EXAMPLE.name}.*\] PASSED", report))
    assert {"test_transformer", "test_clone", "test_check_estimator"} <= passed
    n_checks = len(re.findall(rf"::test_transformer\[.*{EXAMPLE.name}.*\] PASSED", report))
    assert n_checks == len(pretrainer_checks())


@pytest.mark.parametrize("linter", LINTERS)
def test_linters_agree(linter, tree):
    command = find_linter(linter)
    if command is None:
        pytest.skip(f"{linter} is not installed; it comes with segclf[dev]")
    run(command, tree)
