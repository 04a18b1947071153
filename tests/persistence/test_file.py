import errno
import inspect
import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import segclf
from benchmarks.shared.disk_trouble import disk_trouble
from segclf import ImageClassifier, SegmentationClassifier, SupervisedSegmenter, load, save
from segclf.base import ImageTransformer, Segmenter
from segclf.base.spatial import n_spatial
from segclf.datasets import make_shapes
from segclf.persistence import file as file_module
from segclf.testing.small import small_estimator

SHAPES = make_shapes(8, image_size=32, n_objects=3, random_state=0)
VOLUMES = make_shapes(4, image_size=32, depth=2, n_objects=3, random_state=0)
ESTIMATORS = [
    name
    for name in segclf.__all__
    if inspect.isclass(getattr(segclf, name)) and issubclass(getattr(segclf, name), BaseEstimator)
]


def small(name, **changes):
    made = small_estimator(getattr(segclf, name), max_epochs=1)
    return made.set_params(random_state=0, **changes)


def shapes_for(estimator):
    return SHAPES if n_spatial(estimator) == 2 else VOLUMES


def fitted(estimator, y=SHAPES.target):
    if isinstance(estimator, ImageTransformer):
        return estimator.fit(SHAPES.images)
    if isinstance(estimator, Segmenter):
        return estimator.fit(shapes_for(estimator).images, shapes_for(estimator).masks)
    return estimator.fit(SHAPES.images, y, masks=SHAPES.masks)


def round_trip(estimator, tmp_path, **options):
    save(estimator, tmp_path / "saved.safetensors")
    return load(tmp_path / "saved.safetensors", **options)


def assert_same_predictions(one, other):
    for method in ("predict", "predict_proba", "predict_masks", "transform"):
        if hasattr(one, method):
            images = shapes_for(one).images
            given, expected = (getattr(each, method)(images) for each in (other, one))
            assert given.dtype == expected.dtype
            np.testing.assert_array_equal(given, expected)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_comes_back(name, tmp_path):
    saved = fitted(small(name))
    loaded = round_trip(saved, tmp_path)
    assert type(loaded) is type(saved)
    assert_same_predictions(saved, loaded)
    assert repr(loaded) == repr(saved)
    assert repr(clone(loaded)) == repr(clone(saved))
    assert vars(loaded).keys() == vars(saved).keys()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_unfitted_and_fitted_again(name, tmp_path):
    loaded = round_trip(small(name), tmp_path)
    assert_same_predictions(fitted(small(name)), fitted(loaded))


def test_two_networks_in_one(tmp_path):
    saved = fitted(small("CASSPretrainer", keep="both"))
    loaded = round_trip(saved, tmp_path)
    assert_same_predictions(saved, loaded)
    assert loaded.network_.recipe == saved.network_.recipe
    assert not loaded.network_.training


def test_a_pretrainer_inside(tmp_path):
    """A fitted one as a part, and a frozen one as a parameter."""
    pretrainer = small("CASSPretrainer", keep="both")
    inside = small("ImageClassifier", pretrainer=pretrainer)
    frozen = small("ImageClassifier", pretrainer=FrozenEstimator(fitted(clone(pretrainer))))
    for saved in (fitted(inside), fitted(frozen)):
        loaded = round_trip(saved, tmp_path)
        assert_same_predictions(saved, loaded)
        assert loaded.transferred_ == saved.transferred_
        assert_same_predictions(fitted(clone(saved)), fitted(clone(loaded)))


@pytest.mark.parametrize(
    "y",
    [
        np.array(["no", "yes"])[SHAPES.target],
        np.array(["no", "yes"], dtype=object)[SHAPES.target],
        np.append(SHAPES.target[:7], -1),
        np.stack([SHAPES.target, 1 - SHAPES.target], axis=1),
    ],
    ids=["strings", "objects", "unlabeled", "multi-label"],
)
@pytest.mark.parametrize(
    "name", ["ImageClassifier", "MultitaskClassifier", "SegmentationClassifier"]
)
def test_every_kind_of_labels(name, y, tmp_path):
    masks = SHAPES.masks
    if y.ndim == 2:
        masks = np.ones((8, 2, *masks.shape[1:]), dtype=int) * y[..., None, None]
    saved = small(name).fit(SHAPES.images, y, masks=masks)
    loaded = round_trip(saved, tmp_path)
    assert_same_predictions(saved, loaded)
    assert loaded.classes_.dtype == saved.classes_.dtype


def test_saved_again_it_is_the_same_file(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    save(fitted(small("SegmentationClassifier")), first)
    save(load(first), second)
    assert first.read_bytes() == second.read_bytes()
    assert sorted(tmp_path.iterdir()) == [first, second]


def test_inside_scikit_learn(tmp_path):
    summarizer = make_pipeline(
        FunctionTransformer(validate=False), StandardScaler(), LogisticRegression()
    )
    summarizer.fit(np.arange(6.0).reshape(3, 2), [0, 1, 1])
    loaded = round_trip(FrozenEstimator(summarizer), tmp_path)
    X = np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_array_equal(loaded.predict_proba(X), summarizer.predict_proba(X))


def test_metadata_requests_come_back(tmp_path):
    from sklearn import config_context

    with config_context(enable_metadata_routing=True):
        saved = small("SegmentationClassifier").set_fit_request(masks=True, groups=False)
        loaded = round_trip(saved, tmp_path)
        assert str(loaded.get_metadata_routing()) == str(saved.get_metadata_routing())
        assert "'masks': True" in str(clone(loaded).get_metadata_routing())


def test_callbacks_stay_behind(tmp_path):
    from sklearn.callback import ProgressBar

    loaded = round_trip(small("ImageClassifier").set_callbacks(ProgressBar()), tmp_path)
    assert not hasattr(loaded, "_skl_callbacks")


def test_loading_takes_no_random_number(tmp_path):
    save(fitted(small("ImageClassifier")), tmp_path / "saved")
    before = torch.get_rng_state()
    load(tmp_path / "saved")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "saved"
    save(small("ImageClassifier"), path)
    before = path.read_bytes()
    with pytest.raises(TypeError, match=r"ImageClassifier\.loss"):
        save(ImageClassifier(loss=lambda scores, target: scores.sum()), path)

    with disk_trouble(errno.ENOSPC, at="fsync"), pytest.raises(OSError, match=r"bytes.*saved"):
        save(SupervisedSegmenter(), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_only_estimators_are_saved(tmp_path):
    with pytest.raises(TypeError, match="takes an estimator"):
        save({"a": 1}, tmp_path / "saved")
    with pytest.raises(TypeError, match="takes an estimator"):
        save(SegmentationClassifier, tmp_path / "saved")


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load(tmp_path / "nowhere")


def test_something_else(tmp_path):
    path = tmp_path / "other"
    path.write_text("no tensors at all")
    with pytest.raises(ValueError, match=r"other is not a file that segclf\.save wrote"):
        load(path)
    save_file({"weight": np.zeros(3)}, path)
    with pytest.raises(ValueError, match=r"not one that segclf\.save wrote"):
        load(path)


@pytest.mark.parametrize("place", [3, 0.5, -1], ids=["size", "middle", "last"])
def test_damaged(place, tmp_path):
    path = tmp_path / "saved"
    save(fitted(small("ImageClassifier")), path)
    content = bytearray(path.read_bytes())
    content[int(place * len(content)) if isinstance(place, float) else place] ^= 64
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        load(path)


def test_cut_short(tmp_path):
    path = tmp_path / "saved"
    save(fitted(small("ImageClassifier")), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="damaged"):
        load(path)


def rewrite(path, change):
    """Change a file's header, with the checksum that belongs to it."""
    with safe_open(path, framework="numpy") as opened:
        header = json.loads(opened.metadata()["segclf"])
        arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    change(header)
    header["checksum"] = file_module._checksum(arrays, header)
    save_file(arrays, path, metadata={"segclf": json.dumps(header)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h.update(format=4, segclf="9.0"), r"format 4 \(segclf 9.0\); this is segclf"),
        (lambda h: h.pop("estimator"), r"damaged: no \['estimator'\]"),
        (lambda h: h["estimator"]["parameters"].update(depth=3), "depth"),
        (lambda h: h["estimator"]["learned"].pop("network_"), None),
        (lambda h: h["estimator"]["learned"]["network_"].pop("recipe"), "KeyError: 'recipe'"),
        (lambda h: h["estimator"].pop("learned"), "KeyError: 'learned'"),
        (lambda h: h["estimator"].update(parameters={"$code": "1 + 1"}), "No value is written as"),
        (lambda h: h.update(estimator=[]), "cannot be loaded"),
    ],
    ids=["newer", "headless", "parameter", "unfitted", "recipe", "nothing", "form", "list"],
)
def test_changed_header(change, message, tmp_path):
    path = tmp_path / "saved"
    save(fitted(small("ImageClassifier")), path)
    rewrite(path, change)
    if message is None:
        with pytest.raises(AttributeError, match="network_"):
            load(path).predict(SHAPES.images)
    else:
        with pytest.raises(ValueError, match=message):
            load(path)


def attribute(name, value):
    return lambda header: header["estimator"]["learned"].update({name: value})


def texts(dtype, *values):
    return {"$texts": {"shape": [len(values)], "dtype": dtype, "values": values}}


def recipe(**changes):
    return lambda header: header["estimator"]["learned"]["network_"]["recipe"].update(changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (attribute("predict", "?"), "does not learn an attribute 'predict'"),
        (attribute("n_features_in_ ", 1), "does not learn"),
        (attribute("__class__", 1), "'__class__'"),
        (attribute("__dict__", {}), "'__dict__'"),
        (attribute("texts_", texts("<U99999999", "a")), "Texts"),
        (attribute("texts_", texts("<f8", "1")), "Texts"),
        (recipe(encoder_weights="/etc/passwd"), "names the file encoder_weights"),
        (recipe(n_classes=10**9), "The recipe makes a network whose"),
        (recipe(encoder="resnet18"), "The recipe makes a network whose"),
    ],
)  # fmt: skip
def test_what_no_fit_leaves_behind(change, message, tmp_path):
    path = tmp_path / "saved"
    save(fitted(small("ImageClassifier")), path)
    rewrite(path, change)
    with pytest.raises(ValueError, match=message):
        load(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(value, tmp_path):
    saved = fitted(small("ImageClassifier"))
    with torch.no_grad():
        next(saved.network_.parameters())[0] = value
    save(saved, tmp_path / "saved")
    with pytest.raises(ValueError, match="holds NaN or infinity"):
        load(tmp_path / "saved")


def test_a_folder_of_whoever_saved_it_is_forgotten(tmp_path):
    """What lies there could run code, and predictions would write to it."""
    classifier = SegmentationClassifier(
        segmenter=SupervisedSegmenter(encoder="tiny", max_epochs=1, memory=tmp_path / "inner"),
        memory=str(tmp_path / "memory"),
        random_state=0,
    )
    save(fitted(classifier), tmp_path / "saved")
    loaded = load(tmp_path / "saved")
    assert loaded.memory is None
    assert loaded.segmenter.memory is None
    assert loaded.segmenter_.memory is None


def test_a_module_is_judged_before_it_is_imported(tmp_path, monkeypatch):
    imported = []
    monkeypatch.setattr("segclf.persistence.class_names.importlib.import_module", imported.append)
    for module in ("segclf.__main__", "sklearn.conftest", "sklearn.tests.test_base"):
        path = tmp_path / "saved"
        save(LogisticRegression(), path)
        rewrite(path, lambda header, m=module: header["estimator"].update({"$estimator": f"{m}:X"}))
        with pytest.raises(ValueError, match="is not imported"):
            load(path)
    assert not imported
