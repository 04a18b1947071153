"""Fits that are killed by SIGKILL, in processes of their own, end with the bits of whole ones."""

import os

import pytest

from benchmarks.kill import main

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="fits are in forked processes")


@pytest.mark.slow
def test_every_method_and_composition_once(capsys):
    assert main(["--fits", "20", "--kills", "2", "--seed", "7"]) == 0
    assert "20 of 20" in capsys.readouterr().out


def test_a_segmenter(capsys):
    names = ["SupervisedSegmenter", "teacher and student"]
    assert main(["--fits", "2", "--kills", "2", "--names", *names]) == 0
    assert "2 of 2" in capsys.readouterr().out
