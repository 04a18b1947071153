"""A page of the docs that adds a method: its three blocks, put into a fresh tree."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import early
from house.modules import ROOT

HOUSE = ["test_files.py", "test_public_names.py", "test_top_level.py", "test_doctests.py"]
LINTERS = {
    "ruff": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "import-linter": ["lint-imports", "--no-cache"],
}


class WorkedExample:
    """The file, the line and the test that a page shows."""

    def __init__(self, page: str) -> None:
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        self.file, self.test_file = re.findall(r"`((?:segclf|tests)/methods/\S+\.py)`:", text)
        self.method, self.test = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
        (self.line,) = re.findall(r"^```\n(from segclf\..*\n)```$", text, re.M)
        self.module, self.name = Path(self.file).stem, self.line.split()[-1]

    def plant(self, top: Path, *more: str) -> Path:
        """Copy our tree there, with the method's file, its line, its test, and nothing else."""
        for part in ("segclf", "plugins", "benchmarks", "tests/house", "tests/persistence", *more):
            ignored = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, top / part, ignore=ignored)
            else:
                shutil.copy(ROOT / part, top / part)
        shutil.copy(ROOT / "pyproject.toml", top)
        write(top / self.file, self.method)
        write(top / self.test_file, self.test)
        stub = top / "segclf" / "__init__.pyi"
        lines = stub.read_text(encoding="utf-8").splitlines(keepends=True)
        start = lines.index(next(line for line in lines if line.startswith("from segclf.methods")))
        first = next(i for i in range(start, len(lines)) if lines[i] > self.line)
        write(stub, "".join([*lines[:first], self.line, *lines[first:]]))
        return top

    def run_tests(self, top: Path, *files: str) -> str:
        """Run its test, the house checks and those files; return the report."""
        known = f"{self.module} or {self.name}"
        everywhere = f"not test_doctests and not persistence and not every_estimator or {known}"
        house = [f"tests/house/{name}" for name in HOUSE]
        chosen = [self.test_file, *house, "tests/persistence/test_file.py", *files]
        options = ["-v", "--color=no", "-p", "no:cacheprovider", "-k", everywhere]
        return run([sys.executable, "-m", "pytest", *options, *chosen], top)

    def found_by_itself(self) -> list[str]:
        """Return lines of the report for tests that look for methods."""
        return [
            f"test_estimators_of_methods_are_public[segclf.methods.{self.module}] PASSED",
            f"test_examples[segclf.methods.{self.module}] PASSED",
            f"test_every_estimator_comes_back[{self.name}] PASSED",
        ]


def early_run(page: str) -> early.Process:
    """Return the process that plants a page's tree in its own folder and prints the report."""
    paths = os.pathsep.join([str(ROOT / "tests"), *sys.path])
    command = (sys.executable, "-m", "house.worked_example", page)
    return early.Process(command, (("PYTHONPATH", paths),))


def write(path: Path, text: str):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def run(command, top):
    paths = os.pathsep.join([str(top), str(top / "plugins")])
    environment = {**os.environ, "PYTHONPATH": paths, "SEGCLF_NUM_THREADS": "1"}
    environment.pop("CI_ARTIFACTS", None)
    result = subprocess.run(command, cwd=top, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def find_linter(linter: str) -> list[str] | None:
    """Return the command, or None where it is not installed."""
    program, *arguments = LINTERS[linter]
    path = shutil.which(program, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    return None if path is None else [path, *arguments]


if __name__ == "__main__":
    example = WorkedExample(sys.argv[1])
    print(example.run_tests(example.plant(Path.cwd())))
