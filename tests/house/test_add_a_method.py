"""Adding a method takes its file and one line: the worked example of the docs, in a fresh tree."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from house.modules import ROOT

PAGE = (ROOT / "docs" / "add_a_method.md").read_text(encoding="utf-8")
METHOD_FILE, TEST_FILE = re.findall(r"`((?:segclf|tests)/\S+_segmenter\.py)`:", PAGE)
METHOD, TEST = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)
(LINE,) = re.findall(r"^```\n(from segclf\..*\n)```$", PAGE, re.M)
NAME = LINE.split()[-1]
HOUSE = ["test_files.py", "test_public_names.py", "test_top_level.py", "test_doctests.py"]
LINTERS = {
    "ruff": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "import-linter": ["lint-imports", "--no-cache"],
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Our tree with the method's file, its line, its test, and nothing else touched."""
    top = tmp_path_factory.mktemp("tree")
    for folder in ("segclf", "plugins", "tests/house", "tests/persistence"):
        ignored = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
        shutil.copytree(ROOT / folder, top / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", top)
    write(top / METHOD_FILE, METHOD)
    write(top / TEST_FILE, TEST)
    stub = top / "segclf" / "__init__.pyi"
    lines = stub.read_text(encoding="utf-8").splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if line.startswith("from") and line > LINE)
    write(stub, "".join([*lines[:first], LINE, *lines[first:]]))
    return top


def write(path: Path, text: str):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def run(command, top):
    paths = os.pathsep.join([str(top), str(top / "plugins")])
    environment = {**os.environ, "PYTHONPATH": paths, "SEGCLF_NUM_THREADS": "1"}
    result = subprocess.run(command, cwd=top, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_it_passes_the_house_checks_and_its_own(tree):
    everywhere = f"not test_doctests and not persistence or {Path(METHOD_FILE).stem} or {NAME}"
    files = [
        TEST_FILE,
        *(f"tests/house/{name}" for name in HOUSE),
        "tests/persistence/test_file.py",
    ]
    options = ["-v", "--color=no", "-p", "no:cacheprovider", "-k", everywhere]
    report = run([sys.executable, "-m", "pytest", *options, *files], tree)
    for found_by_itself in (
        f"test_estimators_of_methods_are_public[segclf.methods.{Path(METHOD_FILE).stem}] PASSED",
        f"test_examples[segclf.methods.{Path(METHOD_FILE).stem}] PASSED",
        f"test_every_estimator_comes_back[{NAME}] PASSED",
        f"{TEST_FILE}::test_promises_of_a_segmenter PASSED",
    ):
        assert found_by_itself in report


@pytest.mark.parametrize("linter", LINTERS)
def test_linters_agree(linter, tree):
    program, *arguments = LINTERS[linter]
    path = shutil.which(program, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if path is None:
        pytest.skip(f"{program} is not installed; it comes with segclf[dev]")
    run([path, *arguments], tree)
