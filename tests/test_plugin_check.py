"""Plugins that end the process or never return are found out; the others are tried all the same."""

import os
import textwrap

import pytest

from segclf import __main__ as main
from segclf.plugin_check import check_plugins

DOOR = """
from segclf.hookspecs import hookimpl
@hookimpl
def segclf_thresholders():
    return {"good": "%s:Good", "bad": "%s:Bad"}
class Good:
    pass
class Bad:
    def __init__(self):
        %s
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")

    def install(name, bad="pass", *, first=""):
        code = first + DOOR % (name, name, bad)
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(code))
        info = tmp_path / f"{name}-1.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {name}\nVersion: 1.5\n")
        (info / "entry_points.txt").write_text(f"[segclf]\ndoor = {name}\n")

    return install


def tried(name, seconds=60):
    return {each.plugin.name: each for each in check_plugins(name, seconds=seconds)}


@pytest.mark.parametrize(
    ("bad", "result", "message"),
    [
        ("import os; os._exit(5)", "died", "ended with status 5"),
        ("while True: pass", "timeout", "no answer after 3 seconds"),
        ("raise SystemExit", "error", "cannot be constructed: SystemExit"),
        ("import random; random.seed(0)", "ok", "changes the random state of Python"),
    ],
)
def test_one_that_does_not_work(install, bad, result, message):
    install("bad_plugin", bad)
    found = tried("bad_plugin", seconds=3 if result == "timeout" else 60)
    assert found["good"].result == "ok"
    assert found["bad"].result == result
    assert message in found["bad"].message


def test_the_command_says_which_failed(install, capsys):
    install("dying_plugin", first="import os; os._exit(0)\n")
    install("good_plugin")
    arguments = ["plugins", "--check", "--seconds", "60", "--distribution"]
    assert main.main([*arguments, "good_plugin"]) == 0
    assert main.main([*arguments, "dying_plugin"]) == 1
    head, *good, again, dying, why = capsys.readouterr().out.splitlines()
    assert head == again
    assert head.split() == ["kind", "name", "distribution", "version", "result", "seconds"]
    assert [row.split()[4] for row in good] == ["ok", "ok"]
    assert dying.split()[:5] == ["?", "door", "dying_plugin", "1.5", "died"]
    assert why.strip() == "its process ended with status 0"
