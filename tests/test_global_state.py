"""What is set globally in torch reaches neither fit nor prediction: same bits as without."""

import pickle
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
import torch
from every_method import MASKS, METHODS, SHAPES, by_name, fitted, outputs

import segclf
from segclf import (
    ImageClassifier,
    MAEPretrainer,
    SegmentationClassifier,
    SupervisedSegmenter,
    load_plugin,
)
from segclf.testing.small import small_estimator


@contextmanager
def float64():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    assert torch.get_default_dtype() == torch.float64
    torch.set_default_dtype(before)


@contextmanager
def default_device():
    torch.set_default_device("meta")
    yield
    assert torch.get_default_device().type == "meta"
    torch.set_default_device(None)


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    yield
    assert torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)


SETTINGS = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "float64": float64,
    "default_device": default_device,
    "deterministic": deterministic,
    "anomaly": lambda: torch.autograd.set_detect_anomaly(True),
}


@contextmanager
def everything():
    with ExitStack() as stack:
        for enter in SETTINGS.values():
            stack.enter_context(enter())
        yield


@pytest.fixture
def _restored():
    """Also where a test fails."""
    yield
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.use_deterministic_algorithms(False)


pytestmark = [
    pytest.mark.usefixtures("_restored"),
    pytest.mark.filterwarnings("ignore::segclf.objectives.CollapseWarning"),
    pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled"),
]


@pytest.mark.parametrize("kind", METHODS, ids=by_name)
def test_all_at_once(kind):
    expected = outputs(fitted(kind))
    with everything():
        model = fitted(kind)
        inside = outputs(model)
    np.testing.assert_array_equal(inside, expected)
    np.testing.assert_array_equal(outputs(model), expected)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("kind", [MAEPretrainer, SupervisedSegmenter], ids=by_name)
def test_one_at_a_time(kind, setting):
    expected = outputs(fitted(kind))
    with SETTINGS[setting]():
        inside = outputs(fitted(kind))
    np.testing.assert_array_equal(inside, expected)


def test_a_model_that_comes_back_may_train_again(tmp_path):
    """Built under inference mode, the weights of a network could have no gradient."""
    model = fitted(SupervisedSegmenter)
    expected, stored = outputs(model), pickle.dumps(model)
    segclf.save(model, tmp_path / "model.segclf")
    with everything():
        unpickled, loaded = pickle.loads(stored), segclf.load(tmp_path / "model.segclf")
        started = fitted(SupervisedSegmenter, pretrainer=tmp_path / "model.segclf")
    for again in (unpickled, loaded):
        np.testing.assert_array_equal(outputs(again), expected)
        for weight in again.network_.parameters():
            assert not weight.is_inference()
            assert (weight.dtype, weight.device.type) == (torch.float32, "cpu")
    alone = fitted(SupervisedSegmenter, pretrainer=tmp_path / "model.segclf")
    np.testing.assert_array_equal(outputs(started), outputs(alone))


def test_a_tensor_made_in_inference_mode_is_an_image_like_others():
    images = torch.from_numpy(SHAPES.images).permute(0, 3, 1, 2)
    expected = fitted(SegmentationClassifier).predict_proba(SHAPES.images)
    with everything():
        inside = fitted(SegmentationClassifier).predict_proba(images)
    np.testing.assert_array_equal(inside, expected)


@pytest.mark.parametrize("name", ["grad_cam", "irnet"])
def test_labelers(name):
    """They compute with networks and tensors of their own."""
    labels = (SHAPES.target > 0).astype(int)

    def predicted():
        classifier = small_estimator(ImageClassifier, max_epochs=1)
        labeler = small_estimator(load_plugin("pseudo_labeler", name))
        labeler.set_params(classifier=classifier, random_state=0)
        return np.asarray(labeler.fit(SHAPES.images, MASKS, labels=labels).predict(SHAPES.images))

    expected = predicted()
    with everything():
        inside = predicted()
    np.testing.assert_array_equal(inside, expected)
