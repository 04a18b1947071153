"""Adding a method takes its file and one line: the worked example of the docs, in a fresh tree."""

import early
import pytest
from house.worked_example import LINTERS, WorkedExample, early_run, find_linter, run

PAGE = "add_a_method.md"
EXAMPLE = WorkedExample(PAGE)
TESTED = early_run(PAGE)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return EXAMPLE.plant(tmp_path_factory.mktemp("tree"))


@pytest.mark.early(TESTED)
def test_it_passes_the_house_checks_and_its_own():
    ended = early.result(TESTED)
    assert ended.returncode == 0, ended.output
    report = ended.output
    for line in EXAMPLE.found_by_itself():
        assert line in report
    assert f"{EXAMPLE.test_file}::test_promises_of_a_segmenter PASSED" in report


@pytest.mark.parametrize("linter", LINTERS)
def test_linters_agree(linter, tree):
    command = find_linter(linter)
    if command is None:
        pytest.skip(f"{linter} is not installed; it comes with segclf[dev]")
    run(command, tree)
