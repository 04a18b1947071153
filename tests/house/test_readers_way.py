"""From the README alone to a saved classifier on a folder of files: its code, in a new process."""

import csv
import os
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import early
import pytest
from house import readers_way
from house.modules import ROOT

import segclf

PACKAGES = os.pathsep.join([str(ROOT), str(ROOT / "plugins")])
PATHS = ("PYTHONPATH", os.pathsep.join([str(ROOT / "tests"), PACKAGES, *sys.path]))
FOLLOWED = early.Process(
    (sys.executable, "-m", "house.readers_way", sys.executable, PACKAGES), (PATHS,)
)


def check(folder):
    classifier = segclf.load(folder / "model.safetensors")
    assert classifier.classes_.tolist() == ["healthy", "ill"]
    assert (folder / "report.html").stat().st_size > 10_000
    with open(folder / "predicted" / "results.csv", newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == readers_way.N_IMAGES
    assert len(list((folder / "predicted" / "masks").rglob("*.png"))) == readers_way.N_IMAGES


def test_it_takes_less_than_twenty_lines():
    lines = [*readers_way.code().splitlines(), "the command"]
    assert len([line for line in lines if line.strip()]) < 20


@pytest.mark.early(FOLLOWED)
def test_it_ends_with_a_saved_classifier():
    done = early.result(FOLLOWED)
    assert done.returncode == 0, done.output
    assert "of 6 other images are right" in done.output
    check(done.folder)


@pytest.fixture
def installed(tmp_path):
    """An interpreter for which segclf alone was installed, from a wheel; the rest it shares."""
    tree = tmp_path / "tree"
    skipped = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    for name in ("segclf", "plugins"):
        shutil.copytree(ROOT / name, tree / name, ignore=skipped)
    for name in ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, tree)
    pip = [sys.executable, "-m", "pip", "-q"]
    build = ["wheel", "--no-deps", "--wheel-dir", str(tmp_path), str(tree)]
    subprocess.run([*pip, *build], check=True)
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    (wheel,) = tmp_path.glob("segclf-*.whl")
    subprocess.run([*pip, "--python", str(python), "install", "--no-deps", wheel], check=True)
    (packages,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (packages / "shared.pth").write_text("\n".join(site.getsitepackages()), encoding="utf-8")
    return python


@pytest.mark.slow
def test_so_it_does_where_a_wheel_is_installed(installed, tmp_path, monkeypatch):
    (tmp_path / "reader").mkdir()
    monkeypatch.chdir(tmp_path / "reader")
    readers_way.main(str(installed))
    found = "import segclf, segclf_plugins; print(segclf.__file__, segclf_plugins.__file__)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    said = subprocess.check_output([installed, "-c", found], env=environment, text=True)
    assert [Path(each).is_relative_to(tmp_path) for each in said.split()] == [True, True]
    check(tmp_path / "reader")
