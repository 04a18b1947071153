"""Each broken plugin is listed with its distribution and its error, and breaks nothing else."""

import importlib
import random
import sys
import textwrap
import threading
import warnings

import pytest
import torch

from segclf import registry
from segclf.process_state import GlobalStateWarning
from segclf.registry import PluginError, list_plugins, load_plugin, make_plugin

HOOK = "from segclf.hookspecs import hookimpl\n@hookimpl\ndef segclf_thresholders():\n    "
GOOD = HOOK + "return {'good': 'good_plugin:Good'}\nclass Good:\n    pass\n"
BROKEN = {
    "missing import": ("import no_such_module_anywhere", "no_such_module_anywhere"),
    "syntax error": ("def (", "SyntaxError"),
    "system exit": ("import sys\nsys.exit(3)", "SystemExit: 3"),
    "base exception": ("class Odd(BaseException): pass\nraise Odd('odd')", "Odd: odd"),
    "endless recursion": ("def f(): f()\nf()", "RecursionError"),
    "signature": (HOOK.replace("()", "(images)") + "return {}", "images"),
    "unknown hook": (HOOK.replace("segclf_th", "segclf_t") + "return {}", "segclf_tresholders"),
    "no hook": ("def segclf_thresholders(): return {}", "segclf.hookimpl"),
    "hook raises": (HOOK + "raise OSError('no disk')", "OSError: no disk"),
    "hook exits": (HOOK + "raise SystemExit", "SystemExit"),
    "returns None": (HOOK + "pass", "must return a dict, got None"),
    "returns a list": (HOOK + "return ['otsu']", "must return a dict, got ['otsu']"),
    "name is no str": (HOOK + "return {3: 'a:B'}", "got 3"),
    "name with a colon": (HOOK + "return {'a:b': 'a:B'}", "without ':'"),
    "target is no str": (HOOK + "return {'a': dict}", "got <class 'dict'>"),
    "malformed target": (HOOK + "return {'a': 'a.b.C'}", "got 'a.b.C'"),
}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution of one module, as pip leaves it on the path."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    registry._discover.cache_clear()

    def install(distribution, code, *, value=None):
        module = distribution.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(code))
        info = tmp_path / f"{module}-1.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {distribution}\nVersion: 1.5\n")
        (info / "entry_points.txt").write_text(f"[segclf]\ndoor = {value or module}\n")
        importlib.invalidate_caches()

    yield install
    registry._discover.cache_clear()
    for name in set(sys.modules) - before:
        if hasattr(sys.modules[name], "__file__") and str(tmp_path) in str(sys.modules[name]):
            del sys.modules[name]


def of(distribution):
    return [plugin for plugin in list_plugins() if plugin.distribution == distribution]


def offer(**targets):
    return HOOK + f"return {targets!r}"


@pytest.mark.parametrize(("code", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_listed_and_affects_nothing_else(install, code, message):
    install("bad-plugin", code)
    install("good-plugin", GOOD)
    (broken,) = of("bad-plugin")
    assert (broken.state, broken.version) == ("broken", "1.5")
    assert message in broken.error
    assert [plugin.state for plugin in of("good-plugin")] == ["ok"]
    assert load_plugin("thresholder", "good").__name__ == "Good"
    assert load_plugin("summarizer", "threshold").__name__ == "ThresholdSummarizer"


@pytest.mark.parametrize(
    ("offer", "message"),
    [
        ("'a:B'", "needs its suffixes: ('a:B', ['.nrrd', ...]), got 'a:B'"),
        ("('a:B', '.npy')", "got ('a:B', '.npy')"),
        ("('a:B', ['npy'])", "got ('a:B', ['npy'])"),
        ("('a:B', ['.NPY'])", "got ('a:B', ['.NPY'])"),
        ("('a', ['.npy'])", "must be 'package.module:Class', got 'a'"),
        ("(dict, ['.npy'], 3)", "must be 'package.module:Class'"),
    ],
)
def test_a_reader_says_its_suffixes(install, offer, message):
    install("bad-plugin", HOOK.replace("thresholders", "readers") + f"return {{'npy': {offer}}}")
    (broken,) = of("bad-plugin")
    assert (broken.kind, broken.state) == ("reader", "broken")
    assert message in broken.error


@pytest.mark.parametrize("value", ["no_such_package", "not a module!", "os:no_such_attribute"])
def test_an_entry_point_that_leads_nowhere_is_listed(install, value):
    install("bad-plugin", "", value=value)
    (broken,) = of("bad-plugin")
    assert (broken.kind, broken.name, broken.state) == (None, "door", "broken")
    assert broken.target == value


def test_the_traceback_shows_the_line(install):
    install("bad-plugin", "x = 1\nraise OSError('no disk')  # this line\n")
    assert "raise OSError('no disk')  # this line" in of("bad-plugin")[0].error


def test_one_broken_item_leaves_its_neighbours_alone(install):
    install("half-plugin", offer(fine="half_plugin:Fine", wrong="nowhere") + "\nclass Fine: pass")
    assert {p.name: p.state for p in of("half-plugin")} == {"fine": "ok", "wrong": "broken"}
    assert load_plugin("thresholder", "fine").__name__ == "Fine"
    with pytest.raises(PluginError, match="half-plugin:wrong"):
        load_plugin("thresholder", "wrong")


def test_one_broken_hook_leaves_its_neighbours_alone(install):
    other = GOOD + "@hookimpl\ndef segclf_summarizers():\n    return 7\n"
    install("good-plugin", other)
    found = {(p.kind, p.state) for p in of("good-plugin")}
    assert found == {("thresholder", "ok"), ("summarizer", "broken")}


def test_damaged_metadata_is_listed_too(install, tmp_path):
    install("bare-plugin", offer(bare="bare_plugin:Bare"))
    (tmp_path / "bare_plugin-1.5.dist-info" / "METADATA").unlink()
    assert "bare" in {plugin.name for plugin in list_plugins("thresholder")}


def test_an_interrupt_is_the_users(install):
    install("slow-plugin", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        list_plugins()


@pytest.mark.parametrize("base", ["KeyboardInterrupt", "GeneratorExit", "BaseException"])
def test_what_only_looks_like_an_interrupt_is_the_plugins(install, base):
    install("odd-plugin", f"class Odd({base}): pass\nraise Odd('odd')")
    assert "Odd: odd" in of("odd-plugin")[0].error


@pytest.mark.parametrize("cause", ["SystemExit(3)", "OSError('no disk')", "GeneratorExit()"])
def test_a_class_that_cannot_be_constructed_is_named(install, cause):
    made = f"\nclass Made:\n    def __init__(self):\n        raise {cause}\n"
    install("made-plugin", offer(made="made_plugin:Made") + made)
    name = cause.partition("(")[0]
    with pytest.raises(
        PluginError, match=rf"made-plugin:made \(made_plugin:Made, .*1\.5\) cannot be .*: {name}"
    ):
        make_plugin("thresholder", "made")


def test_two_plugins_of_one_name_are_an_error_that_names_both(install):
    for name in ("first", "second"):
        install(f"{name}-plugin", offer(same=f"{name}_plugin:Same") + "\nclass Same: pass")
    install("good-plugin", GOOD)
    states = {plugin.distribution: plugin.state for plugin in list_plugins("thresholder")}
    assert states["first-plugin"] == states["second-plugin"] == "conflict"
    assert states["good-plugin"] == "ok"
    with pytest.raises(PluginError, match=r"first-plugin:same.*second-plugin:same"):
        load_plugin("thresholder", "same")
    for name in ("first", "second"):
        plugin = load_plugin("thresholder", f"{name}-plugin:same")
        assert plugin.__module__ == f"{name}_plugin"
    assert load_plugin("thresholder", "Second_Plugin:same").__module__ == "second_plugin"


def test_one_name_in_two_kinds_is_no_conflict(install):
    code = GOOD + "@hookimpl\ndef segclf_summarizers():\n    return {'good': 'good_plugin:Good'}\n"
    install("good-plugin", code)
    assert [plugin.state for plugin in of("good-plugin")] == ["ok", "ok"]


def test_one_distribution_cannot_offer_one_name_twice(install, tmp_path):
    install("twice-plugin", offer(same="twice_plugin:A"))
    points = tmp_path / "twice_plugin-1.5.dist-info" / "entry_points.txt"
    points.write_text(points.read_text() + "again = twice_plugin\n")
    assert [plugin.state for plugin in of("twice-plugin")] == ["conflict", "conflict"]
    with pytest.raises(PluginError, match="twice_plugin:A"):
        load_plugin("thresholder", "twice-plugin:same")


def test_a_name_of_ours_stays_ours(install):
    shadow = offer(threshold="shadow_plugin:Theirs").replace("thresholders", "summarizers")
    install("shadow-plugin", shadow + "\nclass Theirs: pass")
    (theirs,) = of("shadow-plugin")
    assert theirs.state == "conflict"
    assert "segclf:threshold" in theirs.error
    assert "shadow-plugin:threshold" in theirs.error
    assert [plugin.state for plugin in of("segclf") if plugin.name == "threshold"] == ["ok"]
    assert load_plugin("summarizer", "threshold").__name__ == "ThresholdSummarizer"
    assert load_plugin("summarizer", "segclf:threshold").__name__ == "ThresholdSummarizer"
    assert load_plugin("summarizer", "shadow-plugin:threshold").__name__ == "Theirs"


@pytest.mark.parametrize("code", ["import no_such_module_anywhere", GOOD])
def test_strict_raises_at_what_is_not_in_order(install, monkeypatch, code):
    monkeypatch.setenv("SEGCLF_STRICT_PLUGINS", "1")
    install("good-plugin", GOOD)
    assert load_plugin("thresholder", "good").__name__ == "Good"
    install("other-plugin", code)
    registry._discover.cache_clear()
    with pytest.raises(PluginError, match="other-plugin"):
        load_plugin("summarizer", "threshold")


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (offer(late="late_plugin.nowhere:Late"), "ModuleNotFoundError.*late_plugin"),
        (offer(late="late_plugin:Late"), "AttributeError.*Late"),
        (offer(late="late_plugin:late") + "\nlate = 3", "must be a class, got int"),
    ],
)
def test_a_class_that_fails_at_first_use_names_everything(install, code, cause):
    install("late-plugin", code)
    assert [plugin.state for plugin in of("late-plugin")] == ["ok"]
    with pytest.raises(PluginError, match=f"late-plugin:late.*late_plugin.*1.5.*{cause}"):
        load_plugin("thresholder", "late")


def test_unknown_names_say_what_there_is(install):
    install("good-plugin", GOOD)
    install("bad-plugin", "raise OSError")
    with pytest.raises(PluginError) as caught:
        load_plugin("thresholder", "god")
    assert str(caught.value).startswith("No thresholder named 'god'; installed: ")
    assert "good" in str(caught.value).split("; installed: ")[1]
    assert "Did you mean 'good'?" in str(caught.value)
    assert "Broken: bad-plugin:door" in str(caught.value)


def test_unknown_kinds_say_what_there_is():
    with pytest.raises(
        PluginError, match=r"'loss'.*pseudo_labeler, reader, summarizer, thresholder"
    ):
        list_plugins("loss")


def test_a_kind_selects_and_keeps_what_never_said_its_kind(install):
    install("good-plugin", GOOD)
    install("bad-plugin", "raise OSError")
    kinds = {plugin.kind for plugin in list_plugins("thresholder")}
    assert kinds == {"thresholder", None}


def test_make_gives_new_instances_and_leaves_objects_alone(install):
    install("good-plugin", GOOD)
    made = make_plugin("thresholder", "good")
    assert type(made).__name__ == "Good"
    assert make_plugin("thresholder", "good") is not made
    assert make_plugin("thresholder", made) is made
    with pytest.raises(PluginError, match="got the class Good"):
        make_plugin("thresholder", type(made))


def test_threads_get_one_answer(install):
    install("good-plugin", GOOD)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(list_plugins())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert all(answer == answers[0] and answer for answer in answers)


@pytest.mark.parametrize("plugin", [p for p in list_plugins() if p.distribution == "segclf"])
def test_ours_are_all_there(plugin):
    assert plugin.state == "ok"
    assert load_plugin(plugin.kind, plugin.id).__name__ in plugin.target


LOUD = f"""
import random, warnings
warnings.simplefilter("ignore")
{HOOK}random.seed(3); return {{"loud": "loud_plugin:Loud"}}
class Loud:
    def __init__(self):
        import torch
        torch.set_default_dtype(torch.float64)
"""


def test_what_a_plugin_changes_globally_is_undone_and_told(install, monkeypatch):
    """Where its entry point is imported, where it is asked, and where it is constructed."""
    monkeypatch.setattr(threading, "active_count", lambda: 1)  # tests before may have left some
    install("loud-plugin", LOUD)
    random.seed(5)
    filters, expected = list(warnings.filters), random.Random(5).random()
    with pytest.warns(GlobalStateWarning) as told:
        assert type(make_plugin("thresholder", "loud")).__name__ == "Loud"
    assert (warnings.filters, random.random()) == (filters, expected)
    assert torch.get_default_dtype() == torch.float32
    for warning, changed in zip(told, ["filters", "random state of Python", "dtype"], strict=True):
        assert "loud-plugin" in str(warning.message)
        assert changed in str(warning.message)


def test_an_error_undoes_it_too(install, monkeypatch):
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    install("loud-plugin", "import random\nrandom.seed(3)\nraise OSError('no disk')")
    random.seed(5)
    with pytest.warns(GlobalStateWarning, match="loud-plugin:door, while it is imported, changes"):
        assert "no disk" in of("loud-plugin")[0].error
    assert random.random() == random.Random(5).random()
