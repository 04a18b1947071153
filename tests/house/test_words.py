"""Pages read well: sentences are short."""

import re
import statistics
from pathlib import Path

import pytest
from house.modules import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOT_PROSE = re.compile(r"^```.*?^```$|<!--.*?-->|^ *[|#!][^\n]*$|^:::[^\n]*$", re.M | re.S)
LONGEST, USUAL = 45, 18


def sentences(page: str) -> list[str]:
    """Return the sentences of paragraphs and lists; code counts as one word."""
    text = re.sub(r"`[^`]*`", "code", NOT_PROSE.sub("", page))
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    blocks = re.split(r"\n\s*\n|^\s*(?:[-*]|\d+\.)\s", text, flags=re.M)
    parts = [part for block in blocks for part in re.split(r"(?<=[.!?:])\s+", block)]
    return [" ".join(part.split()) for part in parts if re.search("[a-zA-Z]", part)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_sentences_are_short(page: Path) -> None:
    found = {sentence: len(sentence.split()) for sentence in sentences(page.read_text("utf-8"))}
    too_long = [sentence for sentence, length in found.items() if length >= LONGEST]
    assert not too_long
    assert statistics.median([0, *found.values()]) <= USUAL


def test_sentences_are_found() -> None:
    page = "# A title\n\nOne `a + b`. [Two](x.md) words:\n\n- an item\n\n```sh\nls\n```\n| a |\n"
    assert sentences(page) == ["One code.", "Two words:", "an item"]


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 100
