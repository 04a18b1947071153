"""Make pages that list others their parents, so that no list of pages is kept twice."""

import posixpath
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SECTIONS = ("index", "guide", "develop", "project", "papers/index", "decisions/README")
ENTRY = re.compile(r"^(?:-|\d+\.) \[([^\]]*)\]\(([^)#:]+)\)", re.M)
TOCTREE = "\n\n```{{toctree}}\n:hidden:\n:maxdepth: 1\n\n{}\n```\n"


def children(docname: str, text: str) -> dict[str, str]:
    """Return the titles of the documents that list items link to, by path from the site's root."""
    folder = PurePosixPath(docname).parent
    return {_document(_normal(folder / target)): title for title, target in ENTRY.findall(text)}


def append_toctree(app: "Sphinx", docname: str, content: list[str]) -> None:
    """Add a hidden table of contents to a page that lists others."""
    if docname in SECTIONS and (found := children(docname, content[0])):
        lines = [f"{title.replace('`', '')} </{name}>" for name, title in found.items()]
        content[0] += TOCTREE.format("\n".join(lines))
    if docname == "reference":
        content[0] += "\n\n```{toctree}\n:hidden:\n:glob:\n\n/api/*\n```\n"


def _document(path: str) -> str:
    return path.removesuffix(".md").removesuffix(".rst").removesuffix(".markdown")


def _normal(path: PurePosixPath) -> str:
    return posixpath.normpath(path.as_posix())


def setup(app: "Sphinx") -> dict[str, bool]:
    app.connect("source-read", append_toctree, priority=600)  # after links are rewritten
    return {"parallel_read_safe": True, "parallel_write_safe": True}
