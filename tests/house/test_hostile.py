"""Nothing gets in: the short run of `benchmarks.hostile`, and that it would see what does."""

import pickle
import subprocess
import sys
from types import SimpleNamespace

import early
import numpy as np
import pytest
from house.modules import ROOT

from benchmarks.hostile.models import Payload
from benchmarks.hostile.worker import Case, Prepared, Watch, judged

COMMAND = (sys.executable, "-m", "benchmarks.hostile", "--short", "--show", "20")
SHORT = early.Process(COMMAND, folder=ROOT)


@pytest.mark.early(SHORT)
def test_the_short_run_finds_nothing():
    done = early.result(SHORT)
    assert done.returncode == 0, done.output


@pytest.fixture(scope="module")
def watch():
    return Watch()  # Python keeps what listens to its events


def refuse(text):
    raise ValueError(text)


def unpickle(folder):
    pickle.loads(pickle.dumps(Payload()))
    return "accepted"


SEEN = {
    "nothing": (lambda folder: "accepted", []),
    "named": (lambda folder: refuse("file.png is damaged"), []),
    "unnamed": (lambda folder: refuse("it is damaged"), ["unnamed"]),
    "wrong": (lambda folder: "wrong", ["wrong"]),
    "inside": (lambda folder: (folder / "x").write_text("") or "accepted", []),
    "outside": (lambda folder: (folder.parent / "x").write_text("") or "accepted", ["outside"]),
    "code": (unpickle, ["code", "outside"]),
    "process": (lambda folder: subprocess.run("true") and "accepted", ["code"]),
    "memory": (lambda folder: refuse(f"file.png {np.ones(25_000_000).sum()}"), ["memory"]),
}


@pytest.mark.parametrize("name", SEEN)
def test_what_does_is_seen(name, watch, tmp_path, monkeypatch):
    run, faults = SEEN[name]
    monkeypatch.setenv("HOSTILE_MARKER", str(tmp_path / "marker"))
    (tmp_path / "case").mkdir()
    part = SimpleNamespace(run=lambda honest, folder, case: run(folder))
    case = Case("a family", "file.png")
    found = judged(Prepared(part, None, 20_000_000), tmp_path / "case", case, watch)
    assert sorted(found["faults"]) == faults
