import json

import numpy as np
import pytest
from torch import nn

import segclf
from segclf.data import MaskCleaner
from segclf.datasets import make_shapes

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

SHAPES = make_shapes(16, image_size=48, n_objects=3, random_state=0)
TINY = {"encoder": "tiny", "max_epochs": 2, "random_state": 0}
SIZES = [(48, 48), (33, 90), (64, 17), (9, 8)]


def pixelwise(in_channels, n_classes):
    """A network of one layer, which is traced in a moment."""
    return nn.Conv2d(in_channels, n_classes, 3, padding=1)


def noise(size, n_images, n_channels=3, dtype=np.uint8):
    generator = np.random.default_rng(sum(size))
    shape = (n_images, *size, n_channels)
    if dtype == np.float32:
        return generator.random(shape, dtype=np.float32)
    return generator.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def served(estimator, path, **options):
    """Export, and return what serves the file: from images to a dict of arrays."""
    segclf.export_onnx(estimator, path, **options)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return lambda X: dict(zip(names, session.run(None, {"images": X}), strict=True))


def assert_same_masks(serve, segmenter, X):
    given, expected = serve(X), segmenter.predict_proba(X)
    np.testing.assert_allclose(given["mask_probabilities"], expected, atol=1e-5)
    clear = np.abs(np.diff(np.sort(expected, axis=1)[:, -2:], axis=1))[:, 0] > 1e-4
    np.testing.assert_array_equal(given["masks"][clear], segmenter.predict(X)[clear])
    assert given["masks"].dtype == np.uint8


@pytest.fixture(scope="module")
def segmenter():
    return segclf.SupervisedSegmenter(architecture="unet", **TINY).fit(SHAPES.images, SHAPES.masks)


@pytest.fixture(scope="module")
def file(segmenter, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "segmenter.onnx"
    segclf.export_onnx(segmenter, path)
    return path


def test_padding_is_that_of_each_size_and_number_of_images(segmenter, file):
    session = runtime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = ["mask_probabilities", "masks"]
    for number, size in enumerate(SIZES):
        X = noise(size, 1 + number % 2)
        assert_same_masks(
            lambda X: dict(zip(names, session.run(names, {"images": X}), strict=True)), segmenter, X
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "encoder"),
    [
        ("hypercolumn", "tf_efficientnet_lite0"),
        ("unet", "resnet18"),
        ("fpn", "resnet18"),
        ("deeplabv3plus", "resnet18"),
    ],
)
def test_thirty_sizes_of_one_and_two_images(architecture, encoder, tmp_path):
    """A padding of the size that was traced would be wrong by .8 at others."""
    settings = {"encoder_weights": None, "max_epochs": 1, "precision": "fp32", "random_state": 0}
    segmenter = segclf.SupervisedSegmenter(architecture=architecture, encoder=encoder, **settings)
    segmenter.fit(SHAPES.images, SHAPES.masks)
    serve = served(segmenter, tmp_path / "a.onnx")
    sizes = np.random.default_rng(0).integers(8, 160, (30, 2)).tolist()
    for size in map(tuple, sizes):
        for n_images in (1, 2):
            assert_same_masks(serve, segmenter, noise(size, n_images))


def test_the_file_says_what_it_takes_and_nothing_of_who_made_it(file):
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    said = {each.key: each.value for each in model.metadata_props}
    assert said["estimator"] == "SupervisedSegmenter"
    assert json.loads(said["mask_ids"]) == [0, 1]
    assert json.loads(said["images"])["shape"] == ["n", "h", "w", 3]
    assert [axis.dim_param for axis in model.graph.output[1].type.tensor_type.shape.dim] == [*"nhw"]
    assert b"/segclf/" not in file.read_bytes()
    assert b".py" not in file.read_bytes()


def test_images_are_resized_and_scaled_as_the_estimator_does(tmp_path):
    kind = {"n_channels": 1, "dtype": np.uint16}
    X = noise((40, 40), 8, **kind)
    segmenter = segclf.SupervisedSegmenter(
        architecture=pixelwise, image_size=24, test_time_flips="horizontal", max_epochs=1
    )
    segmenter.fit(X, SHAPES.masks[:8, :40, :40])
    serve = served(segmenter, tmp_path / "a.onnx")
    for size in [(40, 40), (11, 70), (24, 24)]:
        assert_same_masks(serve, segmenter, noise(size, 2, **kind))


def test_labels_through_masks(tmp_path):
    segmenter = segclf.SupervisedSegmenter(architecture=pixelwise, max_epochs=8, random_state=0)
    classifier = segclf.SegmentationClassifier(segmenter, calibrate="sigmoid", cv=2)
    classifier.fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    serve = served(classifier, tmp_path / "a.onnx")
    for X in (SHAPES.images, noise((31, 77), 1)):
        given = serve(X)
        np.testing.assert_allclose(given["probabilities"], classifier.predict_proba(X), atol=1e-5)
        np.testing.assert_allclose(
            given["mask_probabilities"], classifier.predict_mask_proba(X), atol=1e-5
        )
        assert np.mean(given["masks"] == classifier.predict_masks(X)) > 0.999


def test_what_no_graph_has_is_refused_by_name(segmenter, tmp_path):
    path = tmp_path / "a.onnx"
    for options, error in [
        ({"tile_size": 16}, "tile_size=16 cuts large images into tiles"),
        ({"test_time_flips": "quarter_turns"}, "depends on whether images are square"),
        ({"post_processing": MaskCleaner(largest=True)}, "connected components"),
        ({"post_processing": np.fliplr}, "a Python function"),
    ]:
        other = segclf.SupervisedSegmenter(architecture=pixelwise, max_epochs=1, **options)
        other.fit(SHAPES.images, SHAPES.masks)
        with pytest.raises(ValueError, match=error):
            segclf.export_onnx(other, path)
    with pytest.raises(ValueError, match="dtype='complex64'; expected one of uint8"):
        segclf.export_onnx(segmenter, path, dtype="complex64")
    assert not path.exists()
