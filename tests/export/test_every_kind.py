"""Each kind of estimator answers as a graph what it answers itself."""

import numpy as np
import pytest
from every_method import MASKS, SHAPES, fitted
from sklearn.model_selection import GridSearchCV

import segclf

pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

QUICK = [segclf.ImageClassifier, segclf.MultitaskClassifier, segclf.PretrainedEncoder]
OTHERS = [
    segclf.SegmentationClassifier,
    segclf.SupervisedSegmenter,
    segclf.PseudoLabelSemiSupervised,
    segclf.DistilledSegmenter,
    segclf.WeakToStrongSegmenter,
    segclf.ConsistencySegmenter,
    segclf.PiCIESegmenter,
    segclf.CrossTeachingSegmenter,
    segclf.SimSiamPretrainer,
    segclf.OtsuPretrainer,
]


def served(estimator, path, X):
    segclf.export_onnx(estimator, path)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, {"images": X}), strict=True))


def assert_same(estimator, path, X=SHAPES.images):
    given = served(estimator, path, X)
    inside = getattr(estimator, "best_estimator_", estimator)
    ask = getattr(inside, "predict_mask_proba", getattr(inside, "predict_proba", None))
    expected = {
        "probabilities": getattr(estimator, "predict_proba", None),
        "mask_probabilities": ask,
        "embeddings": getattr(estimator, "transform", None),
    }
    compared = given.keys() & expected.keys()
    assert compared
    for name in compared:
        np.testing.assert_allclose(given[name], expected[name](X), atol=1e-5)


@pytest.mark.parametrize(
    "kind", [*QUICK, *(pytest.param(each, marks=pytest.mark.slow) for each in OTHERS)]
)
def test_each_kind(kind, tmp_path):
    assert_same(fitted(kind, 1), tmp_path / "a.onnx")


def test_searches_and_ensembles(tmp_path):
    segmenter = segclf.SupervisedSegmenter(encoder="tiny", max_epochs=1)
    classifier = segclf.SegmentationClassifier(
        segmenter=segmenter, cv=2, ensemble=True, random_state=0
    )
    search = GridSearchCV(classifier, {"calibrate": [None]}, cv=2, refit=True)
    search.fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    assert_same(search, tmp_path / "a.onnx")


def test_floats_are_taken_as_they_are(tmp_path):
    images = SHAPES.images.astype(np.float32) / 255
    segmenter = segclf.SupervisedSegmenter(encoder="tiny", max_epochs=1, random_state=0)
    assert_same(segmenter.fit(images, MASKS), tmp_path / "a.onnx", images)


@pytest.mark.parametrize("architecture", [None, "unet3d"])
def test_volumes_are_refused_by_name(architecture, tmp_path):
    inner = segclf.SupervisedSegmenter(encoder="tiny")
    volumes = segclf.SupervisedSegmenter(architecture="unet3d", encoder="tiny3d")
    segmenter = segclf.SliceWise(inner) if architecture is None else volumes
    with pytest.raises(TypeError, match=f"{type(segmenter).__name__} reads volumes"):
        segclf.export_onnx(segmenter, tmp_path / "a.onnx")
