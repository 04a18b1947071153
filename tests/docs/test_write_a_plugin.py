"""What the page shows is the example's own text, and so is tested with it."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "write_a_plugin.md").read_text(encoding="utf-8")
FILES = re.split(r"^`(plugins/segclf-\S+)`:$", PAGE, flags=re.MULTILINE)[1:]
QUOTES = [
    (path, quote)
    for path, text in zip(FILES[::2], FILES[1::2], strict=True)
    for quote in re.findall(r"```(?:python|toml)\n(.*?)```", text, flags=re.DOTALL)
]


def test_the_page_quotes_every_step():
    assert len({path for path, _ in QUOTES}) == 5


@pytest.mark.parametrize(("path", "quote"), QUOTES)
def test_quotes_are_true(path, quote):
    assert quote in (ROOT / path).read_text(encoding="utf-8")


def test_the_page_names_every_hook():
    hooks = (ROOT / "segclf" / "hookspecs.py").read_text(encoding="utf-8")
    for hook in re.findall(r"^def (segclf_\w+)", hooks, flags=re.MULTILINE):
        assert f"`{hook}`" in PAGE
