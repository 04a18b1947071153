"""The Python of pages of the documentation, run by ``python -m house.page PAGES``."""

import importlib
import re
import sys
import warnings
from functools import cache
from pathlib import Path

from house.modules import source_files


def is_tested(page):
    return page.read_text(encoding="utf-8").startswith("<!-- tested")


def is_short(page):
    """Tell whether a page is over in a second, so that it shares a process with others."""
    return page.read_text(encoding="utf-8").startswith("<!-- tested, short -->")


def is_slow(page):
    return page.read_text(encoding="utf-8").startswith("<!-- tested, slow -->")


def blocks(page):
    """Compile what is not quoted from our files, block by block, with the page's line numbers."""
    text = page.read_text(encoding="utf-8")
    for block in re.finditer(r"^```python\n(.*?)^```$", text, re.M | re.S):
        if not any(block[1] in source for source in sources()):
            lines_above = text.count("\n", 0, block.start(1))
            yield compile("\n" * lines_above + block[1], str(page), "exec")


@cache
def sources():
    return [path.read_text(encoding="utf-8") for path in source_files()]


def main(pages):
    """Run all of each, in order; a warning is an error, as in tests."""
    importlib.import_module("torch")  # what it warns of is not ours
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", "The network finds nothing", UserWarning)
    # Dask's, on a busy machine.
    warnings.filterwarnings("ignore", "Creating scratch directories is taking", UserWarning)
    for page in pages:
        names = {"__name__": "__main__"}
        for block in blocks(page):
            exec(block, names)


if __name__ == "__main__":
    main([Path(each) for each in sys.argv[1:]])
