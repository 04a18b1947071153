"""Every warning has a category of ours, so that it can be filtered."""

import ast

from house.modules import source_files


def categories(path):
    """Return the categories of calls of warnings.warn in a file, by line; None is the default."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn":
            keywords = [each.value for each in node.keywords if each.arg == "category"]
            given = [*node.args[1:2], *keywords]
            yield node.lineno, ast.unparse(given[0]) if given else None


def test_every_warning_has_a_category_of_ours():
    general = (None, "UserWarning", "RuntimeWarning", "Warning")
    found = [(path.name, *each) for path in source_files() for each in categories(path)]
    assert len(found) > 15
    assert [each for each in found if each[2] in general] == []


def test_categories_are_found(tmp_path):
    path = tmp_path / "module.py"
    path.write_text("warnings.warn('a', UserWarning, stacklevel=2)\nwarnings.warn('b')\n")
    assert dict(categories(path)) == {1: "UserWarning", 2: None}
