"""`benchmarks.growth`, a short run of it: memory stays, and nothing reaches outside."""

import subprocess
import sys

import pytest
from house.modules import ROOT


@pytest.mark.slow
def test_a_short_run():
    short = ["--fits", "20", "--kinds", "SupervisedSegmenter"]
    command = [sys.executable, "-m", "benchmarks.growth", *short]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": 0 outside") == 5
