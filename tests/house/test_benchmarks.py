"""Benchmarks are run by hand; that what they import is there, a test can tell."""

import subprocess
import sys

from house.modules import ROOT

FILES = sorted(path.relative_to(ROOT) for path in ROOT.glob("benchmarks/**/*.py"))
IMPORT_ALL = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"


def test_they_can_be_imported():
    names = [".".join(file.with_suffix("").parts) for file in FILES]
    assert "benchmarks.import_time" in names
    command = [sys.executable, "-c", IMPORT_ALL, *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
