"""Check the links of the finished site: links inside it have a target, the others are addresses.

No page may load anything from other sites, so that the site can be read without a network.
"""

import posixpath
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

ADDRESS = re.compile(r"https?://[\w.-]+\.\w+(:\d+)?(/[^\s]*)?|mailto:\S+@\S+|data:\S+")
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """Collect the links of a page, the files it loads, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.add(values["href"])
        elif tag in LOADED and LOADED[tag] in values:
            self.loaded.add(values[LOADED[tag]])


def find_faults(site: Path) -> list[str]:
    """Return a line for each link without a target and each file loaded from another site."""
    pages = {
        path.relative_to(site).as_posix(): Page(path.read_text(encoding="utf-8"))
        for path in sorted(site.rglob("*.html"))
        if "_static" not in path.parts  # the theme's templates
    }
    return [
        f"{name}: {link}: {fault}"
        for name, page in pages.items()
        for link in sorted(page.links | page.loaded)
        if (fault := _fault(site, pages, name, link))
    ]


def _fault(site: Path, pages: dict[str, Page], name: str, link: str) -> str | None:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        if link in pages[name].loaded and parts.scheme != "data":
            return "is loaded from elsewhere"
        return None if ADDRESS.fullmatch(link) else "is no address"
    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parts.path)))
    target = target if parts.path else name
    if not (site / target).exists():
        return "leads to no file"
    anchor = unquote(parts.fragment)
    if name.startswith("_modules/") or anchor.startswith(":~:text="):
        return None  # viewcode knows names by where they are defined; a browser looks for a text
    if anchor and target in pages and anchor not in pages[target].anchors:
        return "leads to no place of that page"
    return None


def check_links(app: Sphinx, exception: Exception | None) -> None:
    """Fail the build if there are any faults."""
    built = exception is None and app.builder.format == "html"
    if built and (faults := find_faults(Path(app.outdir))):
        raise ExtensionError("\n".join(["Links of the site:", *faults]))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", check_links, priority=900)  # what others finish is done
    return {"parallel_read_safe": True, "parallel_write_safe": True}
