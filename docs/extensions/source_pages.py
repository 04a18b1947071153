"""Keep links that lead out of docs/ inside the site.

Markdown at the top of the tree (CONTRIBUTING.md, ...) becomes a page of ``project/``. A file or
folder of code becomes a page that shows it. Names in the reference lead to their own pages.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import make_notebook
import nbformat
from sphinx.application import Sphinx
from sphinx.highlighting import PygmentsBridge

ROOT = Path(__file__).resolve().parents[2]
COPIED = {"CONTRIBUTING": "contributing", "SECURITY": "security", "CHANGELOG": "changelog"}
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s:#]+)(#[^)\s]*)?\)")
NAME = re.compile(r"^\| \[`(\w+)`\]\(\.\./[^)]*\)", re.M)
SHOWN = {".py": "python", ".pyi": "python", ".toml": "toml", ".sh": "bash", ".md": "md"}


def copy_pages(app: Sphinx) -> None:
    """Copy the Markdown files next to docs/ to where the site shows them."""
    folder = Path(app.srcdir) / "project"
    folder.mkdir(exist_ok=True)
    for name, page in COPIED.items():
        text = (ROOT / f"{name}.md").read_text(encoding="utf-8")
        path = folder / f"{page}.markdown"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def rewrite_links(app: Sphinx, docname: str, content: list[str]) -> None:
    """Redirect links that lead out of docs/ to the pages of their targets on the site."""
    if docname == "reference":
        content[0] = _to_names(content[0])
    if not str(app.env.doc2path(docname)).endswith(".rst"):
        copied = docname.startswith("project/")  # its links are relative to the root of the tree
        here = "" if copied else posixpath.dirname(f"docs/{docname}")
        content[0] = LINK.sub(lambda link: _link(app, docname, here, link), content[0])


def _link(app: Sphinx, docname: str, here: str, link: re.Match[str]) -> str:
    text, target, anchor = link[1], link[2], link[3] or ""
    path = posixpath.normpath(posixpath.join(here, target))
    up = "../" * docname.count("/")
    if not (ROOT / path).exists():
        return link[0]
    if path.removesuffix(".md") in COPIED:
        return f"[{text}]({up}project/{COPIED[path.removesuffix('.md')]}.markdown{anchor})"
    if path == "README.md":
        return f"[{text}]({up}index.md)"
    if path == "examples":
        return f"[{text}]({up}auto_examples/index.rst)"
    if path.startswith("examples/"):
        return f"[{text}]({up}auto_{posixpath.splitext(path)[0]}.rst)"
    if path.startswith("docs/"):
        return f"[{text}]({up}{path.removeprefix('docs/')}{anchor})"
    linked = app.env.metadata[docname].setdefault("source_pages", [])
    linked.append(path)
    return f'<a href="{up}_files/{path}.html">{text}</a>'


def _to_names(text: str) -> str:
    import api_pages

    pages = {full.rpartition(".")[2]: full for full in api_pages.public_names()}

    def link(row: re.Match[str]) -> str:
        return f"| [`{row[1]}`](api/{pages[row[1]]}.rst)" if row[1] in pages else f"| `{row[1]}`"

    text = text.replace("a link to the file whose docstring describes it", "a page of its own")
    return NAME.sub(link, text)


def show_files(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Make a page for each linked file and folder, and for the contents of linked folders."""
    linked = {path for data in app.env.metadata.values() for path in data.get("source_pages", ())}
    for path in sorted(_with_contents(linked)):
        full = ROOT / path
        body = _folder(full) if full.is_dir() else _file(full)
        yield f"_files/{path}", {"title": path, "body": f"<h1>{path}</h1>\n{body}"}, "page.html"


def _with_contents(paths: set[str]) -> set[str]:
    found = set(paths)
    for path in paths:
        if (ROOT / path).is_dir():
            found |= {_name(file) for file in (ROOT / path).rglob("*") if _is_source(file)}
    return found


def _is_source(path: Path) -> bool:
    return path.suffix in SHOWN and "build" not in path.relative_to(ROOT).parts


def _folder(folder: Path) -> str:
    names = sorted(_name(file) for file in folder.rglob("*") if _is_source(file))
    inside = [name.removeprefix(f"{_name(folder)}/") for name in names]
    items = (f'<li><a href="{folder.name}/{name}.html">{name}</a></li>' for name in inside)
    return "<ul>\n" + "\n".join(items) + "\n</ul>"


def _file(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return PygmentsBridge("html").highlight_block(text, SHOWN.get(path.suffix, "bash"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def write_notebook(app: Sphinx, exception: Exception | None) -> None:
    """Write the tutorial as a notebook next to its page, to download."""
    if exception is None and app.builder.format == "html":
        notebook = make_notebook.render(ROOT / "docs" / "tutorial.md")
        nbformat.write(notebook, Path(app.outdir) / "tutorial.ipynb")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", copy_pages, priority=400)
    app.connect("source-read", rewrite_links)
    app.connect("html-collect-pages", show_files)
    app.connect("build-finished", write_notebook)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
