"""The template for plugin authors is built, installed and used by name, as a stranger's would be.

Its own build back-end makes the wheel and the wheel is unpacked, which is all that installing one
means; so neither a network nor pip is needed.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

EXAMPLE = pathlib.Path(__file__).parents[2] / "plugins" / "segclf-example"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The environment of a process in which segclf-example is installed."""
    room = tmp_path_factory.mktemp("example")
    shutil.copytree(EXAMPLE, room / "source")
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(room)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=room / "source", check=True)
    (wheel,) = room.glob("segclf_example-*.whl")
    zipfile.ZipFile(wheel).extractall(room / "site")
    return {**os.environ, "PYTHONPATH": str(room / "site"), "SEGCLF_STRICT_PLUGINS": "1"}


def run(environment, *arguments):
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=environment["PYTHONPATH"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_is_listed_with_its_distribution(installed):
    plugins = json.loads(run(installed, "-m", "segclf", "plugins", "--json"))
    theirs = [plugin for plugin in plugins if plugin["distribution"] == "segclf-example"]
    assert [(p["kind"], p["name"], p["version"], p["state"]) for p in theirs] == [
        ("pseudo_labeler", "nearest_color", "0.1.0", "ok"),
        ("reader", "npy", "0.1.0", "ok"),
        ("summarizer", "area_logistic", "0.1.0", "ok"),
        ("thresholder", "outlier", "0.1.0", "ok"),
    ]


def test_is_used_by_name(installed):
    code = (
        "import numpy as np\n"
        "from segclf.registry import make_plugin\n"
        "P = np.array([0, 0, .2, .9])[:, None, None, None] * np.ones((4, 1, 8, 8))\n"
        "print(make_plugin('summarizer', 'area_logistic').fit(P, [0, 0, 1, 1]).predict(P))\n"
        "image = np.array([[10, 10, 11, 10], [10, 11, 10, 99]])\n"
        "print(make_plugin('thresholder', 'segclf-example:outlier')(image).sum())\n"
    )
    assert run(installed, "-c", code).split("\n") == ["[0 0 1 1]", "1", ""]


def test_passes_its_own_tests_and_doctests(installed):
    package = pathlib.Path(installed["PYTHONPATH"]) / "segclf_example"
    options = ("-q", "-p", "no:cacheprovider", "--doctest-modules", "--rootdir", str(EXAMPLE))
    assert " passed" in run(
        installed, "-m", "pytest", *options, str(EXAMPLE / "tests"), str(package)
    )


def test_listing_imports_no_plugin_class(installed):
    code = (
        "import sys, segclf.__main__ as main\n"
        "main.main(['plugins'])\n"
        "print([m for m in ('torch', 'sklearn', 'numpy', 'segclf_example.outlier')"
        " if m in sys.modules])"
    )
    assert run(installed, "-c", code).splitlines()[-1] == "[]"
