"""``report`` and ``audit`` from files to files."""

import csv

import pytest
from PIL import Image

import segclf
from segclf import SegmentationClassifier, SupervisedSegmenter
from segclf.__main__ import main
from segclf.datasets import make_shapes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labeled")
    shapes = make_shapes(12, image_size=32, n_objects=3, random_state=0)
    rows = ["image,label,mask,group"]
    for i, (image, mask) in enumerate(zip(shapes.images, shapes.masks, strict=True)):
        Image.fromarray(image).save(folder / f"{i}.png")
        Image.fromarray(mask).save(folder / f"m{i}.png")
        rows.append(f"{i}.png,{shapes.target[i]},{f'm{i}.png' if i else ''},{i // 2}")
    (folder / "table.csv").write_text("\n".join(rows))
    segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=1)
    classifier = SegmentationClassifier(segmenter=segmenter, random_state=0)
    classifier.fit(shapes.images, shapes.target, masks=shapes.masks)
    segclf.save(classifier, folder / "model.safetensors")
    return folder


def test_a_report(folder, capsys):
    model, table, out = (
        str(folder / name) for name in ("model.safetensors", "table.csv", "r.html")
    )
    assert main(["report", model, table, "--out", out, "--title", "Circles", "--images", "3"]) == 0
    page = (folder / "r.html").read_text()
    assert "<title>Circles" in page
    assert capsys.readouterr().out.strip() == out


def test_an_audit_with_the_settings_of_a_model(folder, capsys):
    out = folder / "doubts.csv"
    table, model = str(folder / "table.csv"), str(folder / "model.safetensors")
    assert main(["audit", table, "--model", model, "--folds", "2", "--out", str(out)]) == 0
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert sum(row["kind"] == "mask" for row in rows) == 11
    assert sum(row["kind"] == "label" for row in rows) == 12
    assert {row["image"] for row in rows} == {str(folder / f"{i}.png") for i in range(12)}
    assert str(out) in capsys.readouterr().out


@pytest.mark.parametrize("command", ["report", "audit"])
def test_errors_are_a_line(folder, command, capsys):
    (folder / "bare.csv").write_text("image\n0.png\n")
    given = [str(folder / "model.safetensors")] if command == "report" else []
    assert main([command, *given, str(folder / "bare.csv")]) == 2
    line = capsys.readouterr().err.strip()
    assert line.startswith(f"python -m segclf {command}: ")
    assert "there is no column" in line
