"""The documentation is complete, its links lead somewhere, and its code is code."""

import os
import re
import runpy
import sys
from urllib.parse import unquote

import early
import pytest
from house.modules import ROOT
from house.page import blocks, is_short, is_slow, is_tested

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")])
PATHS = ("PYTHONPATH", os.pathsep.join([str(ROOT / "tests"), str(ROOT), *sys.path]))


def name_of(page):
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize(
    ("page", "render"), [("reference.md", "render"), ("parameters.md", "render_parameters")]
)
def test_reference_is_up_to_date(page, render):
    expected = runpy.run_path(str(ROOT / "docs" / "make_reference.py"))[render]()
    written = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert written == expected, "run: python docs/make_reference.py"


def test_readme_holds_the_commands_that_ci_runs():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^<!-- (\w+) command -->\n```sh\n(python3.11 .+)\n```$", readme, re.M)
    assert [name for name, _ in commands] == ["demo", "test"]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files(page):
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    links = re.findall(r"\]\(([^)\s]+)[^)]*\)|(?:src|href)=\"([^\"]+)\"", prose)
    targets = {unquote((inline or tag).partition("#")[0]) for inline, tag in links}
    local = {target for target in targets if target and not re.match(r"\w+:", target)}
    assert {target for target in local if not (page.parent / target).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_code_is_code(page):
    """Quoted from our files, or it compiles."""
    list(blocks(page))


# Pages whose code is run by other tests, or needs what nobody has.
ELSEWHERE = {
    "README.md": "tests/house/test_readers_way.py",
    "docs/add_a_method.md": "tests/house/test_add_a_method.py",
    "docs/add_a_pretrainer.md": "tests/house/test_add_a_pretrainer.py",
    "docs/medical_images.md": "tests/plugins/readers/test_dicom_seg.py",  # a hospital's files
    "docs/papers": "tests/docs/test_site.py",  # without the trainings, which take days
    "docs/write_a_plugin.md": "tests/docs/test_write_a_plugin.py",
}
SHORT = tuple(str(page) for page in PAGES if is_short(page))


def test_all_code_is_run():
    """On its page, or by the test that is named here."""
    with_code = {name_of(page) for page in PAGES if "```python" in page.read_text("utf-8")}
    tested = {name_of(page) for page in PAGES if is_tested(page)}
    elsewhere = {name for name in with_code if {name, name.rpartition("/")[0]} & ELSEWHERE.keys()}
    assert tested | elsewhere == with_code
    assert not tested & elsewhere
    assert [test for test in ELSEWHERE.values() if not (ROOT / test).exists()] == []


def run_of(page):
    pages = SHORT if is_short(page) else (str(page),)
    return early.Process((sys.executable, "-m", "house.page", *pages), (PATHS,))


TESTED = [
    pytest.param(
        page,
        marks=pytest.mark.slow if is_slow(page) else pytest.mark.early(run_of(page)),
        id=name_of(page),
    )
    for page in PAGES
    if is_tested(page)
]


@pytest.mark.parametrize("page", TESTED)
def test_code_runs(page):
    """All of it, in order, on a page that begins so."""
    done = early.result(run_of(page))
    assert done.returncode == 0, done.output
