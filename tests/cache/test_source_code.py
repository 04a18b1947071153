import importlib
import sys

import pytest
import torch

from segclf import SupervisedSegmenter
from segclf.cache import digest, source_code
from segclf.cache.source_code import code_of, code_of_module, installed_code


@pytest.fixture
def fresh():
    """Digests are remembered for as long as Python runs; here code changes meanwhile."""
    caches = (code_of_module, installed_code)
    for cache in caches:
        cache.cache_clear()
    yield lambda: [cache.cache_clear() for cache in caches]
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two modules, of which the second defines a segmenter."""
    folder = tmp_path / "ours_for_a_test"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "losses.py").write_text("def ours(logits, mask, **weights):\n    return 1\n")
    (folder / "segmenter.py").write_text(
        "from segclf import SupervisedSegmenter\nclass Ours(SupervisedSegmenter):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield folder
    for name in [name for name in sys.modules if name.startswith("ours_for_a_test")]:
        del sys.modules[name]


def test_the_code_of_a_class_is_its_package(package, fresh):
    ours = importlib.import_module("ours_for_a_test.segmenter").Ours
    before = digest(ours())
    assert digest(ours()) == before
    (package / "losses.py").write_text("def ours(logits, mask, **weights):\n    return 2\n")
    fresh()
    assert digest(ours()) != before


def test_the_code_of_a_function(package, fresh):
    ours = importlib.import_module("ours_for_a_test.losses").ours
    before = digest(SupervisedSegmenter(loss=ours))
    (package / "segmenter.py").write_text("")
    fresh()
    assert digest(SupervisedSegmenter(loss=ours)) != before


@pytest.mark.parametrize("package", ["segclf", "segclf_plugins"])
def test_the_code_of_segclf_and_of_plugins(package, monkeypatch, fresh):
    before = digest(1)
    fresh()
    files = source_code._files
    left_out = {package: 1}
    monkeypatch.setattr(
        source_code, "_files", lambda module: files(module)[left_out.get(module, 0) :]
    )
    assert digest(1) != before


def test_the_versions_of_libraries(monkeypatch, fresh):
    before = digest(1)
    fresh()
    version = source_code.version
    newer = {"torch": "99"}
    monkeypatch.setattr(source_code, "version", lambda name: newer.get(name) or version(name))
    assert digest(1) != before


def test_plugins_count(monkeypatch, fresh):
    before = digest(1)
    fresh()
    monkeypatch.setattr(source_code, "list_plugins", list)
    assert digest(1) != before


def test_a_plugin_that_is_not_there_breaks_nothing(monkeypatch, fresh):
    plugins = [*source_code.list_plugins()]
    broken = plugins[0].__class__(
        kind=None, name="x", distribution="x", version="1", target="nowhere_at_all.x:X"
    )
    monkeypatch.setattr(source_code, "list_plugins", lambda: [*plugins, broken])
    assert installed_code()


def test_a_library_is_its_version(fresh):
    assert torch.__version__.partition("+")[0] in code_of_module("torch.optim.adam")


def test_no_file_no_code():
    made = type("Made", (), {"__module__": "made_in_a_notebook"})
    with pytest.raises(TypeError, match="made_in_a_notebook has no file"):
        code_of(made)
