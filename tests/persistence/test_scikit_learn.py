"""scikit-learn's estimators in files: each predicts afterwards what it did before, bit for bit."""

import json
import subprocess
import sys

import numpy as np
import pytest
import sklearn
from safetensors import safe_open
from safetensors.numpy import save_file
from scipy.stats import loguniform, randint
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from segclf import (
    ImageClassifier,
    MaskScorer,
    SegmentationClassifier,
    SemiSupervisedSplit,
    SupervisedSegmenter,
    load,
    load_plugin,
    save,
)
from segclf.datasets import make_shapes
from segclf.metrics import dice_score
from segclf.persistence.file import _checksum

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(90, 4))
Y = (X[:, 0] + 0.3 * RANDOM.normal(size=90) > 0).astype(int)
Y3 = np.digitize(X[:, 0], [-0.4, 0.4])
LOGISTIC = LogisticRegression()
TREES = [
    DecisionTreeClassifier(max_leaf_nodes=9, random_state=0),
    ExtraTreeClassifier(random_state=0),
    RandomForestClassifier(n_estimators=3, random_state=0, oob_score=False),
    ExtraTreesClassifier(n_estimators=3, random_state=0),
    RandomForestRegressor(n_estimators=2, random_state=0),
    GradientBoostingClassifier(n_estimators=3, random_state=0),
    HistGradientBoostingClassifier(max_iter=3, random_state=0),
    HistGradientBoostingClassifier(max_iter=2, early_stopping=True),
    HistGradientBoostingRegressor(max_iter=2),
    AdaBoostClassifier(n_estimators=3, random_state=0),
]
OVER_TWO_CLASSES = [
    GridSearchCV(LOGISTIC, {"C": [0.1, 1.0]}, cv=2),
    GridSearchCV(LOGISTIC, {"C": [0.1, 1.0]}, cv=SemiSupervisedSplit(2), scoring="roc_auc"),
    GridSearchCV(
        LOGISTIC,
        [{"C": [0.1], "solver": ["lbfgs"]}, {"class_weight": [None, {0: 1, 1: 2}]}],
        cv=StratifiedKFold(2, shuffle=True, random_state=0),
        scoring=["f1", "accuracy"],
        refit="f1",
    ),
    GridSearchCV(LOGISTIC, {"C": [0.1]}, cv=[(np.arange(50), np.arange(50, 90))]),
    RandomizedSearchCV(
        RandomForestClassifier(n_estimators=2),
        {"min_samples_split": randint(2, 9), "ccp_alpha": loguniform(1e-3, 1e-1)},
        n_iter=2,
        cv=RepeatedStratifiedKFold(n_splits=2, n_repeats=1, random_state=0),
        random_state=0,
    ),
    HalvingGridSearchCV(LOGISTIC, {"C": [0.1, 1.0]}, cv=2, min_resources=30),
    HalvingRandomSearchCV(LOGISTIC, {"C": loguniform(0.1, 1)}, cv=2, min_resources=30),
    make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=2, random_state=0)),
    CalibratedClassifierCV(LOGISTIC, cv=2, method="sigmoid"),
    CalibratedClassifierCV(DecisionTreeClassifier(), cv=2, method="isotonic", ensemble=False),
    CalibratedClassifierCV(LOGISTIC, cv=2, method="temperature"),
    FixedThresholdClassifier(LOGISTIC, threshold=0.3),
    TunedThresholdClassifierCV(LOGISTIC, cv=2),
    VotingClassifier([("one", LOGISTIC), ("two", DecisionTreeClassifier())], voting="soft"),
    StackingClassifier([("one", LOGISTIC), ("two", DecisionTreeClassifier())], cv=2),
    BaggingClassifier(LOGISTIC, n_estimators=2, random_state=0),
]
OVER_THREE_CLASSES = [
    OneVsRestClassifier(LOGISTIC),
    OneVsOneClassifier(LOGISTIC),
    GradientBoostingClassifier(n_estimators=2, random_state=0),
    HistGradientBoostingClassifier(max_iter=2),
    CalibratedClassifierCV(LOGISTIC, cv=2, method="isotonic"),
]
OVER_TWO_LABELS = [
    MultiOutputClassifier(LOGISTIC),
    ClassifierChain(LOGISTIC),
    RandomForestClassifier(n_estimators=2, random_state=0),
]


def assert_same(one, other):
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(one, method):
            np.testing.assert_array_equal(getattr(other, method)(X), getattr(one, method)(X))


@pytest.mark.parametrize(
    ("estimator", "y"),
    [
        *((estimator, Y) for estimator in (*TREES, *OVER_TWO_CLASSES)),
        *((estimator, Y3) for estimator in OVER_THREE_CLASSES),
        (SelfTrainingClassifier(LOGISTIC), np.where(np.arange(90) % 3, Y, -1)),
        *((estimator, np.stack([Y, Y3 == 1], axis=1).astype(int)) for estimator in OVER_TWO_LABELS),
    ],
    ids=lambda value: type(value).__name__,
)
def test_scikit_learns_own_come_back(estimator, y, tmp_path):
    saved = estimator.fit(X, y)
    save(saved, tmp_path / "saved")
    loaded = load(tmp_path / "saved")
    assert_same(saved, loaded)
    assert vars(loaded).keys() == vars(saved).keys()
    save(loaded, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "saved").read_bytes()


def test_what_a_search_found_comes_back(tmp_path):
    saved = OVER_TWO_CLASSES[2].fit(X, Y)
    save(saved, tmp_path / "saved")
    loaded = load(tmp_path / "saved")
    assert loaded.best_params_ == saved.best_params_
    assert loaded.score(X, Y) == saved.score(X, Y)
    assert loaded.cv_results_.keys() == saved.cv_results_.keys()
    for name, values in saved.cv_results_.items():
        assert type(loaded.cv_results_[name]) is type(values)
        assert str(loaded.cv_results_[name]) == str(values)
    loaded.fit(X, Y)
    np.testing.assert_array_equal(
        loaded.cv_results_["mean_test_f1"], saved.cv_results_["mean_test_f1"]
    )


def test_two_names_of_one_estimator_are_one_again(tmp_path):
    shapes = make_shapes(8, image_size=16, n_objects=2, target_radius=4, random_state=0)
    classifiers = [("image", ImageClassifier(encoder="tiny", max_epochs=1, random_state=0))]
    saved = VotingClassifier(classifiers, voting="soft").fit(shapes.images, shapes.target)
    save(saved, tmp_path / "voting")
    save(saved.estimators_[0], tmp_path / "alone")
    loaded = load(tmp_path / "voting")
    assert loaded.named_estimators_["image"] is loaded.estimators_[0]
    sizes = [(tmp_path / name).stat().st_size for name in ("voting", "alone")]
    assert sizes[0] < 1.5 * sizes[1]
    np.testing.assert_array_equal(
        loaded.predict_proba(shapes.images), saved.predict_proba(shapes.images)
    )


def test_a_forest_as_summarizer_inside_of_a_search_by_masks(tmp_path):
    shapes = make_shapes(8, image_size=16, n_objects=2, target_radius=4, random_state=0)
    forest = RandomForestClassifier(n_estimators=2)
    classifier = SegmentationClassifier(
        segmenter=SupervisedSegmenter(encoder="tiny", max_epochs=1),
        summarizer=load_plugin("summarizer", "mask_features")(classifier=forest),
        random_state=0,
    )
    with sklearn.config_context(enable_metadata_routing=True):
        saved = GridSearchCV(
            classifier.set_fit_request(masks=True),
            {"summarizer__classifier__max_depth": [1, 2]},
            cv=2,
            scoring=MaskScorer(dice_score),
        ).fit(shapes.images, shapes.target, masks=shapes.masks)
        save(saved, tmp_path / "saved")
        loaded = load(tmp_path / "saved")
    assert loaded.scorer_ == saved.scorer_
    np.testing.assert_array_equal(
        loaded.predict_proba(shapes.images), saved.predict_proba(shapes.images)
    )


def test_a_halving_search_is_loaded_by_a_process_that_knows_none(tmp_path):
    search = HalvingGridSearchCV(LOGISTIC, {"C": [0.1, 1.0]}, cv=2, min_resources=30)
    save(search, tmp_path / "saved")
    code = "import sys, segclf; print(segclf.load(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path / "saved")]
    assert "HalvingGridSearchCV" in subprocess.check_output(command, text=True)


def test_what_cannot_be_saved_says_what_can(tmp_path):
    def own_score(y_true, y_pred):
        return float((y_true == y_pred).mean())

    search = GridSearchCV(LOGISTIC, {"C": [1.0]}, cv=2, scoring=make_scorer(own_score)).fit(X, Y)
    with pytest.raises(TypeError, match=r"is code .*save\(search\.best_estimator_, path\)"):
        save(search, tmp_path / "saved")
    with pytest.raises(TypeError, match=r"KDTree; .*skops\.io\.dump"):
        save(KNeighborsClassifier(algorithm="kd_tree").fit(X, Y), tmp_path / "saved")
    assert list(tmp_path.iterdir()) == []


def change(path, arrays=None, header=None):
    """Change arrays and header of a file, with a checksum that fits."""
    with safe_open(path, framework="numpy") as opened:
        written = json.loads(opened.metadata()["segclf"])
        values = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    if arrays is not None:
        arrays(values)
    if header is not None:
        header(written)
    written["checksum"] = _checksum(values, written)
    save_file(values, path, metadata={"segclf": json.dumps(written)})


def column(values, index, row, value):
    """Set a value of the nodes of the first tree: the columns are in the order of the layout."""
    name = sorted(n for n in values if n.endswith(f".nodes.columns[{index}]"))[0]
    values[name][row] = value


@pytest.mark.parametrize(
    ("estimator", "index", "value", "message"),
    [
        (DecisionTreeClassifier(), 0, 0, "do not form a tree"),
        (DecisionTreeClassifier(), 1, 10**6, "do not form a tree"),
        (DecisionTreeClassifier(), 2, 4, "points to 4 of 4"),
        (DecisionTreeClassifier(), 2, -5, "points to"),
        (HistGradientBoostingClassifier(max_iter=1), 5, 0, "do not form a tree"),
        (HistGradientBoostingClassifier(max_iter=1), 6, 10**6, "do not form a tree"),
        (HistGradientBoostingClassifier(max_iter=1), 2, 4, "points to 4 of 4"),
    ],
)
def test_trees_that_lead_astray_are_refused(estimator, index, value, message, tmp_path):
    save(estimator.fit(X, Y), tmp_path / "saved")
    change(tmp_path / "saved", arrays=lambda values: column(values, index, 0, value))
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "saved")


@pytest.mark.parametrize(
    "estimator",
    [RandomForestClassifier(n_estimators=2), GradientBoostingClassifier(n_estimators=2)],
)
def test_trees_of_more_features_than_the_forest_are_refused(estimator, tmp_path):
    save(estimator.fit(X, Y), tmp_path / "saved")

    def fewer(header):
        header["estimator"]["learned"]["n_features_in_"] = 2

    change(tmp_path / "saved", header=fewer)
    with pytest.raises(ValueError, match=r"A tree with 4 features in a .* with 2"):
        load(tmp_path / "saved")


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"$metric": "sklearn:check_scoring_of_mine"}, "no metric"),
        ({"$metric": "os:system"}, "KeyError"),
        ({"$loss": {"name": "_BaseLoss"}}, "no loss"),
        ({"$distribution": {"name": "gaussian_kde", "args": [], "kwds": {}}}, "not a distribution"),
        ({"$object": "os:popen", "learned": {}}, "names the class or function 'os:popen'"),
        ({"$object": "sklearn.utils:Bunch", "learned": {}}, "is not an estimator"),
        ({"$class": "subprocess:Popen"}, "names the class or function 'subprocess:Popen'"),
        ({"$generator": {"bit_generator": "Philox"}}, "KeyError"),
        ({"$same": 99}, "KeyError"),
    ],
    ids=str,
)
def test_forms_that_name_something_else_are_refused(form, message, tmp_path):
    save(DummyClassifier(), tmp_path / "saved")
    change(
        tmp_path / "saved",
        header=lambda header: header["estimator"]["parameters"].update(constant=form),
    )
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "saved")


def test_the_first_format_is_still_read(tmp_path):
    saved = LogisticRegression().fit(X, Y)
    save(FrozenEstimator(saved), tmp_path / "saved")

    def as_before(header):
        header["format"] = 1
        del header["estimator"]["number"]
        del header["estimator"]["parameters"]["estimator"]["number"]

    change(tmp_path / "saved", header=as_before)
    assert_same(saved, load(tmp_path / "saved"))
