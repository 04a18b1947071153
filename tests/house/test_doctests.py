"""The examples in docstrings do what they say."""

import doctest
import importlib

import pytest
from house.modules import module_names, module_path

WITH_EXAMPLES = [name for name in module_names() if ">>> " in module_path(name).read_text()]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    examples = doctest.DocTestFinder(exclude_empty=True).find(module, name)
    written = module_path(name).read_text().count(">>> ")
    assert sum(len(example.examples) for example in examples) == written, "some are never run"
    report = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    failed = sum(runner.run(example, out=report.append).failed for example in examples)
    assert failed == 0, "".join(report)
