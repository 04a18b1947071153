import json
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

import segclf
from segclf.datasets import make_shapes

SHAPES = make_shapes(8, image_size=32, n_objects=3, random_state=0)


def pixelwise(in_channels, n_classes):
    return nn.Conv2d(in_channels, n_classes, 3, padding=1)


@pytest.fixture(scope="module")
def segmenter():
    segmenter = segclf.SupervisedSegmenter(encoder="tiny", max_epochs=1, random_state=0)
    return segmenter.fit(SHAPES.images, SHAPES.masks)


def test_torch_answers_as_the_segmenter_does_for_all_sizes(segmenter, tmp_path):
    path = tmp_path / "segmenter.pt2"
    segclf.export_torch(segmenter, path)
    extra = {"metadata.json": ""}
    program = torch.export.load(path, extra_files=extra).module(check_guards=False)
    for n_images, size in [(1, (32, 32)), (2, (9, 70)), (3, (41, 40))]:
        X = np.random.default_rng(0).integers(0, 256, (n_images, *size, 3), dtype=np.uint8)
        given = program(torch.from_numpy(X))
        expected = segmenter.predict_proba(X)
        np.testing.assert_allclose(given["mask_probabilities"], expected, atol=1e-5)
        assert given["masks"].dtype == torch.uint8
    assert json.loads(extra["metadata.json"])["estimator"] == "SupervisedSegmenter"


def test_the_file_does_not_say_where_it_was_made(tmp_path):
    segmenter = segclf.SupervisedSegmenter(architecture=pixelwise, max_epochs=1)
    segclf.export_torch(segmenter.fit(SHAPES.images, SHAPES.masks), tmp_path / "a.pt2")
    with zipfile.ZipFile(tmp_path / "a.pt2") as file:
        assert not [name for name in file.namelist() if b"segclf/export" in file.read(name)]
