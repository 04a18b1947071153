"""Nothing gets in: the short run of `benchmarks.hostile`."""

import subprocess
import sys

from house.modules import ROOT


def test_the_short_run_finds_nothing():
    command = [sys.executable, "-m", "benchmarks.hostile", "--short", "--show", "20"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
