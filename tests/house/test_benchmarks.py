"""Benchmarks are run by hand; that what they import is there, a test can tell."""

import sys

import early
import pytest
from house.modules import ROOT

FILES = sorted(path.relative_to(ROOT) for path in ROOT.glob("benchmarks/**/*.py"))
IMPORT_ALL = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"


NAMES = [".".join(file.with_suffix("").parts) for file in FILES]
ALL_IMPORTED = early.Process((sys.executable, "-c", IMPORT_ALL, *NAMES), folder=ROOT)


@pytest.mark.early(ALL_IMPORTED)
def test_they_can_be_imported():
    assert "benchmarks.import_time" in NAMES
    done = early.result(ALL_IMPORTED)
    assert done.returncode == 0, done.output
