import json
import subprocess
import sys

from segclf import __main__ as main
from segclf.registry import PluginInfo, list_plugins

FINE = PluginInfo(kind="summarizer", name="fine", distribution="a", version="1", target="a:B")
BAD = PluginInfo(
    kind=None,
    name="door",
    distribution="bad-plugin",
    version="1.5",
    target="bad",
    state="broken",
    error="Traceback:\n  a line\nOSError: no disk\n",
)


def test_plugins_are_a_table(capsys):
    assert main.main(["plugins"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["kind", "name", "distribution", "version", "state"]
    assert ["summarizer", "threshold", "segclf"] in [row.split()[:3] for row in rows]


def test_plugins_as_json_hold_everything(capsys):
    main.main(["plugins", "--json"])
    given = json.loads(capsys.readouterr().out)
    given = [{**plugin, "suffixes": tuple(plugin["suffixes"])} for plugin in given]
    assert [PluginInfo(**plugin) for plugin in given] == list_plugins()


def test_a_broken_plugin_shows_its_error_below_its_row(capsys, monkeypatch):
    monkeypatch.setattr(main, "list_plugins", lambda: [BAD, FINE])
    main.main(["plugins"])
    _, bad, error, fine = capsys.readouterr().out.splitlines()
    assert bad.split() == ["?", "door", "bad-plugin", "1.5", "broken"]
    assert error.strip() == "OSError: no disk"
    assert fine.split()[-1] == "ok"
    main.main(["plugins", "--verbose"])
    assert "      a line" in capsys.readouterr().out.splitlines()


def test_plugins_start_without_heavy_imports():
    code = (
        "import sys\nfrom segclf.__main__ import main\nmain(['plugins'])\n"
        "print([name for name in ('torch', 'sklearn', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_info_names_versions_device_and_threads(capsys):
    main.main(["info"])
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["python"] == sys.version.split()[0]
    assert lines["torch"][0].isdigit()
    assert {"device", "system", "cores", "threads", "CPU", "numpy"} <= set(lines)
    assert "segclf" in lines["plugins"].split(", ")
