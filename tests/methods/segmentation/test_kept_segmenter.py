"""Through SegmentationClassifier: what memory spares, and that nothing in it is stale."""

import pickle

import numpy as np
import pytest
import rich
import torch
from joblib import Memory
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from segclf import SegmentationClassifier, SupervisedSegmenter, load, save
from segclf.cache import digests
from segclf.datasets import make_shapes
from segclf.networks import ImageNetwork

SHAPES = make_shapes(12, image_size=16, n_objects=2, target_radius=4, random_state=0)
X, Y, MASKS = SHAPES.images, SHAPES.target, SHAPES.masks
TINY = {"encoder": "tiny", "max_epochs": 1, "learning_rate": 1e-2, "batch_size": 4}


def flatten(P):
    return P.reshape(len(P), -1)


def classifier(memory=None, **changes):
    settings = {
        "segmenter": SupervisedSegmenter(**TINY),
        "summarizer": make_pipeline(FunctionTransformer(flatten), LogisticRegression()),
        "random_state": 0,
        "memory": memory,
    }
    return SegmentationClassifier(**{**settings, **changes})


@pytest.fixture
def trained(monkeypatch):
    """One item for each segmenter that is trained."""
    fits = []
    learn = SupervisedSegmenter._learn

    def counted(self, samples, **how):
        fits.append(len(samples))
        learn(self, samples, **how)

    monkeypatch.setattr(SupervisedSegmenter, "_learn", counted)
    return fits


@pytest.fixture
def predicted(monkeypatch):
    """One item for each batch that a network predicts for its owner: its length."""
    monkeypatch.setattr("segclf.base.segmenter.warn_if_nothing_found", lambda *_: None)
    batches = []

    def count(module, inputs, output):
        if isinstance(module, ImageNetwork) and not module.training:
            batches.append(len(inputs[0]))

    handle = torch.nn.modules.module.register_module_forward_hook(count)
    yield batches
    handle.remove()


def search(memory, grid, n_jobs=None):
    made = GridSearchCV(
        classifier(memory),
        {f"summarizer__logisticregression__{name}": values for name, values in grid.items()},
        cv=3,
        scoring="neg_log_loss",
        n_jobs=n_jobs,
        error_score="raise",
    )
    return made.fit(X, Y, masks=MASKS)


def test_a_search_trains_one_segmenter_a_fold(tmp_path, trained, predicted):
    strengths = np.logspace(-2, 2, 24).tolist()
    found = search(tmp_path, {"C": strengths})
    assert trained == [8, 8, 8, 12], "three folds and the refit"
    assert sum(predicted) == 3 * len(X) + len(X), "each image once in each"
    plain = search(None, {"C": strengths[::23]})
    np.testing.assert_array_equal(
        found.cv_results_["mean_test_score"][::23], plain.cv_results_["mean_test_score"]
    )
    assert len(set(found.cv_results_["mean_test_score"])) > 12, "candidates differ"


def test_in_two_processes(tmp_path):
    grid = {"C": [0.1, 10.0]}
    first, again = (search(tmp_path, grid, n_jobs=2) for _ in range(2))
    expected = search(None, grid).cv_results_["mean_test_score"]
    for found in (first, again):
        np.testing.assert_allclose(found.cv_results_["mean_test_score"], expected, atol=1e-6)


@pytest.mark.parametrize("kind", [str, lambda path: path, lambda path: Memory(path, verbose=0)])
def test_what_memory_may_be(kind, tmp_path, trained):
    for _ in range(2):
        classifier(kind(tmp_path)).fit(X, Y, masks=MASKS)
    assert len(trained) == 1


def test_found_again_is_as_if_trained(tmp_path):
    plain = classifier().fit(X, Y, masks=MASKS)
    for _ in range(2):
        fitted = classifier(str(tmp_path)).fit(X, Y, masks=MASKS)
        np.testing.assert_array_equal(fitted.predict_proba(X), plain.predict_proba(X))
        np.testing.assert_array_equal(fitted.predict_masks(X), plain.predict_masks(X))
        assert fitted.segmenter_.get_params() == plain.segmenter_.get_params()
        assert vars(fitted.segmenter_).keys() == vars(plain.segmenter_).keys()
        assert fitted.segmenter_.history_["loss"] == plain.segmenter_.history_["loss"]
    assert not hasattr(clone(fitted), "segmenter_")


def test_what_was_found_again_can_be_stored(tmp_path):
    fitted, _ = (classifier(str(tmp_path / "memory")).fit(X, Y, masks=MASKS) for _ in range(2))
    expected = fitted.predict_proba(X)
    fitted, kept = (classifier(str(tmp_path / "memory")).fit(X, Y, masks=MASKS) for _ in range(2))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), expected)
    simple = kept.set_params(summarizer="threshold").fit(X, Y, masks=MASKS)
    save(simple, tmp_path / "saved.safetensors")
    again = load(tmp_path / "saved.safetensors")
    np.testing.assert_array_equal(again.predict_proba(X), simple.predict_proba(X))


def one_pixel(array, value=1):
    changed = array.copy()
    changed[(-1,) * array.ndim] ^= value
    return changed


def swapped(labels):
    changed = labels.copy()
    changed[[0, -1]] = 1 - changed[[0, -1]]
    return changed


WEIGHTS, GROUPS = np.ones(12), np.arange(12) // 2
METADATA = {"masks": MASKS, "sample_weight": WEIGHTS, "groups": GROUPS}
CHANGES = {
    "pixel": lambda fit: fit(one_pixel(X), Y, **METADATA),
    "mask": lambda fit: fit(X, Y, **{**METADATA, "masks": one_pixel(MASKS)}),
    "no mask": lambda fit: fit(X, Y, **{**METADATA, "masks": [*MASKS[:-1], None]}),
    "label": lambda fit: fit(X, swapped(Y), **METADATA),
    "weight": lambda fit: fit(X, Y, **{**METADATA, "sample_weight": np.r_[np.ones(11), 1.01]}),
    "group": lambda fit: fit(X, Y, **{**METADATA, "groups": np.r_[GROUPS[:-1], 9]}),
    "no groups": lambda fit: fit(X, Y, masks=MASKS, sample_weight=WEIGHTS),
    "fewer": lambda fit: fit(X[:-1], Y[:-1], **{k: v[:-1] for k, v in METADATA.items()}),
    "order": lambda fit: fit(X[::-1], Y[::-1], **{k: v[::-1] for k, v in METADATA.items()}),
}


@pytest.mark.filterwarnings("ignore::segclf.base.ContradictionWarning")
@pytest.mark.parametrize("name", CHANGES)
def test_nothing_is_stale(name, tmp_path, trained):
    for _ in range(2):
        classifier(tmp_path).fit(X, Y, **METADATA)
    assert len(trained) == 1
    CHANGES[name](classifier(tmp_path).fit)
    assert len(trained) == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"random_state": 1},
        {"class_weight": {0: 1, 1: 2}},
        {"segmenter__learning_rate": 0.02},
        {"segmenter__augmentation": "flips"},
        {"segmenter__pretrainer": None, "segmenter__label_weight": 0.5},
    ],
    ids=str,
)
def test_no_parameter_is_stale(changed, tmp_path, trained):
    classifier(tmp_path).fit(X, Y, masks=MASKS)
    fitted = classifier(tmp_path).set_params(**changed).fit(X, Y, masks=MASKS)
    assert len(trained) == 2
    plain = classifier().set_params(**changed).fit(X, Y, masks=MASKS)
    np.testing.assert_array_equal(fitted.predict_proba(X), plain.predict_proba(X))


def test_no_code_is_stale(tmp_path, trained, monkeypatch):
    classifier(tmp_path).fit(X, Y, masks=MASKS)
    monkeypatch.setattr(digests, "installed_code", lambda: "newer")
    classifier(tmp_path).fit(X, Y, masks=MASKS)
    assert len(trained) == 2


def test_no_map_is_stale(tmp_path, predicted):
    fitted = classifier(tmp_path).fit(X, Y, masks=MASKS)
    fitted.predict_proba(X)
    n_batches = len(predicted)
    fitted.predict_proba(X)
    assert len(predicted) == n_batches
    changed = one_pixel(X, 128)
    plain = classifier().fit(X, Y, masks=MASKS)
    np.testing.assert_array_equal(fitted.predict_proba(changed), plain.predict_proba(changed))
    fitted.segmenter_.fit(X, 1 - MASKS)
    plain.segmenter_.fit(X, 1 - MASKS)
    np.testing.assert_array_equal(fitted.predict_proba(X), plain.predict_proba(X))


def test_other_findings_of_one_segmenter(tmp_path):
    """With a region for each class, other channels are read of the same maps."""
    settings = {"negative_class": None, "random_state": 0}
    for memory in (None, tmp_path, tmp_path):
        first = classifier(memory).fit(X, Y).predict_proba(X)
        second = classifier(memory, **settings).fit(X, Y).predict_proba(X)
        if memory is None:
            expected = first, second
        np.testing.assert_array_equal((first, second), expected)


def test_files_count_by_their_bytes(tmp_path, trained):
    cv2 = pytest.importorskip("cv2")
    paths = [str(tmp_path / f"{index}.png") for index in range(12)]
    for path, image in zip(paths, X, strict=True):
        cv2.imwrite(path, image)
    for _ in range(2):
        classifier(tmp_path / "memory").fit(paths, Y, masks=MASKS)
    cv2.imwrite(paths[-1], one_pixel(X[-1]))
    classifier(tmp_path / "memory").fit(paths, Y, masks=MASKS)
    assert len(trained) == 2


def test_images_of_several_sizes(tmp_path):
    sized = [image[: 12 + index % 4] for index, image in enumerate(X)]
    masks = [mask[: 12 + index % 4] for index, mask in enumerate(MASKS)]
    plain, first, again = (
        classifier(memory, summarizer="threshold").fit(sized, Y, masks=masks).predict_proba(sized)
        for memory in (None, tmp_path, tmp_path)
    )
    np.testing.assert_array_equal(first, plain)
    np.testing.assert_array_equal(again, plain)


class Stopper:
    """Says stop after the first epoch."""

    max_propagation_depth = 1

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        return context.task_name == "epoch"


def test_what_a_callback_stopped_is_not_kept(tmp_path):
    longer = classifier(tmp_path, segmenter=SupervisedSegmenter(**{**TINY, "max_epochs": 2}))
    stopped = clone(longer).set_callbacks(Stopper()).fit(X, Y, masks=MASKS)
    assert stopped.segmenter_.n_iter_ == 1
    assert clone(longer).fit(X, Y, masks=MASKS).segmenter_.n_iter_ == 2
    assert clone(longer).set_callbacks(Stopper()).fit(X, Y, masks=MASKS).segmenter_.n_iter_ == 1


def test_progress_of_what_is_found_again(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(rich.get_console(), "_width", 200)
    shown = []
    for _ in range(2):
        classifier(tmp_path).set_callbacks(ProgressBar()).fit(X, Y, masks=MASKS)
        shown.append(capsys.readouterr().out)
    assert ["SupervisedSegmenter - fit" in each for each in shown] == [True, False]
    assert all("SegmentationClassifier - fit" in each and "100%" in each for each in shown)


def test_a_lambda_is_refused(tmp_path):
    made = classifier(tmp_path).set_params(segmenter__loss=lambda *args, **weights: args[0].mean())
    with pytest.raises(TypeError, match=r"memory cannot tell .*<lambda>.*memory=None"):
        made.fit(X, Y, masks=MASKS)


def test_without_a_seed_the_first_fit_answers(tmp_path):
    made = classifier(tmp_path, random_state=None)
    first, again = (clone(made).fit(X, Y, masks=MASKS).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, again)
