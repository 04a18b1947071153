"""Every file is short, named for what it holds, documented, and keeps out of forbidden rooms."""

import ast

import pytest
from house.modules import ROOT, parse, place, source_files

LINES_PER_FILE = 300
LINES_PER_FUNCTION = 30
JUNK_DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc"}
ONE_ROOM = {  # dotted name -> the files that may use it
    "pickle": (),
    "cloudpickle": (),
    "dill": (),
    "joblib.dump": (),
    "joblib.load": (),
    "torch.save": (),
    "torch.load": (),
    "torch.distributed": tuple(
        path.relative_to(ROOT).as_posix() for path in ROOT.glob("segclf/distributed/*.py")
    ),
    "os.replace": ("segclf/data/_atomic_write.py",),
    "safetensors.numpy.save_file": (),
    "safetensors.torch.save_file": (),
}
FILES = source_files()


def test_files_stay_below_the_ceiling():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in FILES}
    assert {name: n for name, n in lengths.items() if n > LINES_PER_FILE} == {}


def test_functions_stay_below_the_ceiling():
    functions = [
        (place(path, node), node.name, _length_without_docstring(node))
        for path in FILES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [function for function in functions if function[2] > LINES_PER_FUNCTION] == []


def test_no_junk_drawers():
    places = [path.relative_to(ROOT).with_suffix("") for path in FILES]
    junk = [str(place) for place in places if JUNK_DRAWERS & {p.strip("_") for p in place.parts}]
    assert junk == []


def test_every_module_has_a_docstring():
    bare = [path for path in FILES if not ast.get_docstring(parse(path))]
    assert [str(path.relative_to(ROOT)) for path in bare] == []


def test_no_relative_imports():
    imports = [
        place(path, node)
        for path in FILES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ImportFrom) and node.level > 0
    ]
    assert imports == []


def test_the_template_of_plugins_imports_rooms_only():
    """As a contract in pyproject.toml says of our own."""
    template = [path for path in FILES if "segclf-example" in path.parts]
    assert template
    inner = [
        place(path, node)
        for path in template
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("segclf.")
        if node.module.count(".") > 1
    ]
    assert inner == []


@pytest.mark.parametrize("banned", ONE_ROOM)
def test_stays_in_its_one_room(banned):
    uses = [
        place(path, node)
        for path in FILES
        if path.relative_to(ROOT).as_posix() not in ONE_ROOM[banned]
        for name, node in _names_used(parse(path))
        if name == banned or name.startswith(f"{banned}.")
    ]
    assert uses == []


def test_arrays_are_never_read_as_pickles():
    keywords = [
        place(path, node.value)
        for path in FILES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle"
        if getattr(node.value, "value", True)
    ]
    assert keywords == []


def test_files_are_written_at_one_place():
    """Whole or not at all, which `atomic_write` sees to."""
    calls = [
        place(path, node)
        for path in FILES
        if path.relative_to(ROOT).as_posix() != "segclf/data/_atomic_write.py"
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and _writes(node)
    ]
    assert calls == []


def _writes(call):
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    values = [*call.args[:2], *(each.value for each in call.keywords)]
    modes = [each.value for each in values if isinstance(each, ast.Constant)]
    writing = any(isinstance(mode, str) and set("wax+") & set(mode) for mode in modes)
    return name in {"write_text", "write_bytes", "to_csv"} or (name == "open" and writing)


def _length_without_docstring(function):
    length = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is None:
        return length
    docstring = function.body[0]
    return length - (docstring.end_lineno - docstring.lineno + 1)


def _names_used(tree):
    """Yield (dotted name, node) of all imports and attributes, with import aliases resolved."""
    meaning = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for alias in node.names:
                yield module + alias.name, node
                if alias.asname or module:
                    meaning[alias.asname or alias.name] = module + alias.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            first, _, rest = ast.unparse(node).partition(".")
            yield f"{meaning.get(first, first)}.{rest}", node
