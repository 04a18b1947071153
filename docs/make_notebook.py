"""Make a notebook of a page: ``python docs/make_notebook.py docs/tutorial.md tutorial.ipynb``."""

import re
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


def render(page):
    """Return the page as a notebook: Python in code cells, the rest as Markdown."""
    text = page.read_text(encoding="utf-8").removeprefix("<!-- tested -->\n")
    prose, code = BLOCK.split(text)[::2], BLOCK.findall(text)
    cells = []
    for words, block in zip(prose, [*code, ""], strict=True):
        cells += [new_markdown_cell(words.strip())] * bool(words.strip())
        cells += [new_code_cell(block.strip())] * bool(block)
    for i, cell in enumerate(cells):
        cell["id"] = f"cell-{i}"
    return new_notebook(cells=cells)


if __name__ == "__main__":
    nbformat.write(render(Path(sys.argv[1])), sys.argv[2])
