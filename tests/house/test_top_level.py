"""`import segclf` is light, and its stub is the one list of public names."""

import re
import subprocess
import sys

import pytest
from house.modules import ROOT

import segclf

HEAVY = {"cv2", "matplotlib", "pluggy", "sklearn", "timm", "torch"}


def test_import_is_lazy():
    code = "import sys, segclf; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert HEAVY.isdisjoint(loaded.stdout.split())


def test_stub_has_one_sorted_line_for_each_name():
    stub = (ROOT / "segclf" / "__init__.pyi").read_text()
    lines = [line for line in stub.splitlines() if "import" in line.split()]
    assert [line for line in lines if not re.fullmatch(r"from \S+ import (\w+) as \1", line)] == []
    assert lines == sorted(lines)
    assert len(lines) == len(segclf.__all__)


def test_every_name_loads_and_shows():
    assert set(segclf.__all__) <= set(dir(segclf))
    for name in segclf.__all__:
        assert getattr(segclf, name) is getattr(segclf, name)


def test_unknown_name():
    with pytest.raises(AttributeError, match="has no attribute 'Unet'"):
        _ = segclf.Unet
