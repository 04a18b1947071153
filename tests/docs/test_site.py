"""The site knows all pages and examples; that it builds is tried by the slow tests."""

import ast
import functools
import inspect
import os
import re
import runpy
import subprocess
import sys

import early
import pytest
from house.modules import ROOT

DOCS = ROOT / "docs"
EXAMPLES = sorted(ROOT.glob("examples/*/*.py"))
PAPERS = sorted(DOCS.glob("papers/*.md"))
SECTIONS = runpy.run_path(str(DOCS / "extensions" / "sections.py"))


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def test_every_page_is_listed_on_another():
    listed = {
        child
        for section in SECTIONS["SECTIONS"]
        for child in SECTIONS["children"](section, (DOCS / f"{section}.md").read_text("utf-8"))
    }
    pages = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")}
    assert sorted(pages - listed - {"index"}) == []


@pytest.mark.parametrize("page", [*DOCS.rglob("*.md"), *ROOT.glob("*.md")], ids=name_of)
def test_links_lead_to_headings(page):
    """As the site names them; that files exist is tested with the other pages."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    missing = {
        f"{target}#{anchor}"
        for target, anchor in re.findall(r"\]\(([^)\s:#]*)#([^)\s]+)\)", text)
        if anchor not in slugs((page.parent / target) if target else page)
    }
    assert missing == set()


@functools.cache
def slugs(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+ +(.*)$", text, re.M)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower().strip() for title in titles]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in plain}


def test_every_paper_has_its_parts():
    for page in PAPERS:
        if page.stem != "index":
            parts = re.findall(r"^\*\*(What \w+|The paper)", page.read_text("utf-8"), re.M)
            assert set(parts) >= {"The paper", "What segclf", "What we"}, page


def test_the_decision_picture_is_up_to_date():
    drawn = runpy.run_path(str(DOCS / "make_decision_picture.py"))["render"]()
    written = (DOCS / "gallery" / "which_method.svg").read_text(encoding="utf-8")
    assert written == drawn, "run: python docs/make_decision_picture.py"


def test_inventories_are_up_to_date(tmp_path):
    made = runpy.run_path(str(DOCS / "inventories" / "make_inventories.py"))
    for project in made["NAMES"]:
        written = (DOCS / "inventories" / f"{project}.inv").read_bytes()
        assert made["read"](written) == made["lines"](project)


def test_there_are_examples_in_each_part():
    parts = {path.parent for path in EXAMPLES}
    assert len(EXAMPLES) >= 15
    assert [part.name for part in parts if not (part / "GALLERY_HEADER.rst").exists()] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=name_of)
def test_an_example_is_explained_and_draws(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    title, line = inspect.cleandoc(ast.get_docstring(tree)).splitlines()[:2]
    assert line == "=" * len(title)
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert "show" in names, "no picture"
    assert not names & {"urlopen", "urlretrieve", "download_all"}, "it needs a network"


SETTINGS = early.Process(
    (sys.executable, "-m", "docs.paper_settings", *map(str, PAPERS)),
    (("PYTHONPATH", os.pathsep.join([str(ROOT / "tests"), *sys.path])),),
)


@pytest.mark.early(SETTINGS)
def test_settings_of_papers_are_parameters():
    done = early.result(SETTINGS)
    assert done.returncode == 0, done.output


@pytest.mark.slow
def test_the_site_builds(tmp_path):
    """With warnings as errors, and in a copy, so that nothing of an earlier build helps."""
    kept = ("docs", "examples", "segclf", "plugins", "benchmarks", "tests", ".ci")
    (tmp_path / "tree").mkdir()
    files = [ROOT / name for name in kept] + [*ROOT.glob("*.md"), ROOT / "pyproject.toml"]
    subprocess.run(["cp", "-r", *map(str, files), str(tmp_path / "tree")], check=True)
    for generated in ("api", "auto_examples", "project"):
        subprocess.run(["rm", "-rf", str(tmp_path / "tree" / "docs" / generated)], check=True)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", "site"]
    done = subprocess.run(
        command, cwd=tmp_path / "tree", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {path.name for path in (tmp_path / "tree" / "site" / "auto_examples").rglob("*.html")}
    assert {path.with_suffix(".html").name for path in EXAMPLES} <= pages


@pytest.mark.slow
def test_the_tutorial_runs_as_a_notebook(tmp_path):
    nbclient = pytest.importorskip("nbclient")
    notebook = runpy.run_path(str(DOCS / "make_notebook.py"))["render"](DOCS / "tutorial.md")
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert (tmp_path / "shapes.safetensors").exists()
