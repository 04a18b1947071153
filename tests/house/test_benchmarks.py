"""Benchmarks are run by hand; that they can be, and as our pages tell it, a test can tell."""

import json
import os
import re
import sys

import early
import pytest
from house.commands import PAGES, commands, words_of
from house.modules import ROOT

FILES = sorted(path.relative_to(ROOT) for path in ROOT.glob("benchmarks/**/*.py"))
NAMES = [".".join(file.with_suffix("").parts) for file in FILES]
PATHS = ("PYTHONPATH", os.pathsep.join([str(ROOT / "tests"), *sys.path]))
TRIED = early.Process((sys.executable, "-m", "house.commands", *NAMES), (PATHS,), ROOT)

# A score such as .912, or a time, a size.
MEASURED = re.compile(r"(?<![\w.])\.\d{3}\b|\b\d+ (?:m?s|[KMG]B)\b")
CODE = re.compile(r"^```.*?^```$|`[^`]+`", re.M | re.S)
# Pages whose numbers nobody measured: what a parameter takes, a limit.
GIVEN = {"docs/parameters.md", "docs/reference.md", "docs/images.md"}


@pytest.mark.early(TRIED)
def test_they_can_be_imported():
    assert "benchmarks.import_time" in NAMES
    done = early.result(TRIED)
    assert done.returncode == 0, done.output


@pytest.mark.early(TRIED)
def test_commands_on_pages_are_taken():
    said = early.result(TRIED).output.splitlines()[-1]
    assert json.loads(said) == {}


def test_commands_are_found():
    found = [command for page in PAGES for command in commands(page)]
    assert len(found) > 60
    assert words_of("a && .venv/bin/python -m segclf predict 'x y' # z") == (
        "segclf",
        ["predict", "x y"],
    )


def is_measured(page):
    """Tell whether a page shows numbers of ours; decisions tell what was known on their day."""
    name = page.relative_to(ROOT).as_posix()
    if name in GIVEN or name.startswith("docs/decisions/"):
        return False
    return MEASURED.search(CODE.sub("", page.read_text(encoding="utf-8"))) is not None


def has_command(page):
    return "python -m benchmarks" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", list(filter(is_measured, PAGES)), ids=lambda page: page.name)
def test_who_measured_says_how(page):
    """By a command, or by a link to the page that has it."""
    links = re.findall(r"\]\(([^)#\s]+\.md)[^)]*\)", page.read_text(encoding="utf-8"))
    linked = [page.parent / link for link in links if "://" not in link]
    assert any(has_command(each) for each in [page, *linked])
