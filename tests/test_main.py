import json
import subprocess
import sys

from PIL import Image

from segclf import ImageClassifier, save
from segclf import __main__ as main
from segclf.commands import plugins
from segclf.datasets import make_shapes
from segclf.registry import PluginInfo, list_plugins
from segclf.testing.small import small_estimator

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
    monkeypatch.setattr(plugins, "list_plugins", lambda: [BAD, FINE])
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


def test_predict_says_what_it_did_and_what_is_wrong(capsys, tmp_path):
    shapes = make_shapes(4, image_size=16, n_objects=2, target_radius=4, random_state=0)
    model = small_estimator(ImageClassifier, max_epochs=1).fit(shapes.images, shapes.target)
    save(model, tmp_path / "model")
    (tmp_path / "images").mkdir()
    for number, image in enumerate(shapes.images):
        Image.fromarray(image).save(tmp_path / "images" / f"{number}.png")
    (tmp_path / "images" / "4.png").write_bytes(b"?")
    given = [str(tmp_path / "model"), str(tmp_path / "images"), "--out", str(tmp_path / "out")]
    assert main.main(["predict", *given, "--workers", "2"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        f"4 images predicted: {tmp_path}/out/results.csv",
        f"1 images left out: {tmp_path}/out/results-errors.csv",
    ]
    assert "5 of 5 images" in said.err
    assert main.main(["predict", *given]) == 2
    assert "Add --resume" in capsys.readouterr().err
    assert main.main(["predict", *given, "--resume"]) == 0
    assert main.main(["predict", *given, "--shard", "2/1"]) == 2
    assert "expected i/n" in capsys.readouterr().err


def test_predict_of_nothing_but_damaged_images_fails(capsys, tmp_path):
    shapes = make_shapes(4, image_size=16, n_objects=2, target_radius=4, random_state=0)
    save(small_estimator(ImageClassifier, 1).fit(shapes.images, shapes.target), tmp_path / "model")
    (tmp_path / "a.png").write_bytes(b"?")
    given = [str(tmp_path / "model"), str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]
    assert main.main(["predict", *given]) == 1
    assert main.main(["predict", str(tmp_path / "a.png"), "x.png", "--out", str(tmp_path)]) == 2
    assert "not a file that segclf.save wrote" in capsys.readouterr().err
