"""The documentation is complete, its links lead somewhere, and its code is code."""

import re
import runpy
from urllib.parse import unquote

import pytest
from house.modules import ROOT, source_files

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")])
SOURCES = [path.read_text(encoding="utf-8") for path in source_files()]
TESTED = "<!-- tested -->"


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files(page):
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    links = re.findall(r"\]\(([^)\s]+)[^)]*\)|(?:src|href)=\"([^\"]+)\"", prose)
    targets = {unquote((inline or tag).partition("#")[0]) for inline, tag in links}
    local = {target for target in targets if target and not re.match(r"\w+:", target)}
    assert {target for target in local if not (page.parent / target).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_code_is_code(page, tmp_path, monkeypatch):
    """Quoted from our files, or it compiles; all is run, in order, on a page that begins so."""
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    names = {"__name__": "__main__"}
    for block in re.finditer(r"^```python\n(.*?)^```$", text, re.M | re.S):
        if any(block[1] in source for source in SOURCES):
            continue
        lines_above = text.count("\n", 0, block.start(1))
        code = compile("\n" * lines_above + block[1], str(page), "exec")
        if text.startswith(TESTED):
            exec(code, names)
