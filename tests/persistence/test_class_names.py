"""A file names classes; it can neither bring code nor reach for code that was not trusted."""

import json
import subprocess
import sys

import numpy as np
import pytest
import sklearn
from safetensors.numpy import save_file
from segclf_plugins.summarizers import ThresholdSummarizer
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

import segclf
from segclf import (
    SegmentationClassifier,
    SupervisedSegmenter,
    list_plugins,
    load,
    load_plugin,
    save,
)
from segclf.persistence.class_names import class_name
from segclf.persistence.file import FORMAT, _checksum


class Mine(ClassifierMixin, BaseEstimator):
    """Everybody is of class 0."""


def forged(path, name, parameters=None, learned=None):
    """Write a file, valid but for what it names."""
    estimator = {"$estimator": name, "parameters": parameters or {}, "learned": learned or {}}
    header = {
        "format": FORMAT,
        "segclf": segclf.__version__,
        "scikit-learn": "1.9",
        "estimator": estimator,
    }
    header["checksum"] = _checksum({}, header)
    save_file({}, path, metadata={"segclf": json.dumps(header)})
    return path


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (SegmentationClassifier, "segclf:SegmentationClassifier"),
        (LogisticRegression, "sklearn.linear_model:LogisticRegression"),
        (ThresholdSummarizer, "segclf_plugins.summarizers:ThresholdSummarizer"),
        (Mine, f"{__name__}:Mine"),
    ],
)
def test_names_are_the_public_ones(cls, name):
    assert class_name(cls) == name


def test_what_a_file_may_name(tmp_path):
    ours = load(forged(tmp_path / "ours", "segclf:ImageClassifier", {"max_epochs": 7}))
    assert repr(ours) == "ImageClassifier(max_epochs=7)"
    learned = {"_sklearn_version": sklearn.__version__}
    name = "sklearn.linear_model:LogisticRegression"
    assert isinstance(load(forged(tmp_path / "theirs", name, None, learned)), LogisticRegression)


@pytest.mark.parametrize(
    "name",
    [
        "os:system",
        "subprocess:Popen",
        "builtins:eval",
        "numpy:ndarray",
        "torch.nn:Linear",
        "segclf_evil:Estimator",
        "segclf.methods.image_classifier.os:system",
        "segclf",
        "",
        "segclf:load:x",
        "segclf: ImageClassifier",
    ],
)
def test_others_are_refused(name, tmp_path):
    with pytest.raises(ValueError, match=r"forged names the class .* trusted=|does not exist"):
        load(forged(tmp_path / "forged", name))


@pytest.mark.parametrize(
    "name",
    [
        "segclf:load",
        "segclf.registry:importlib",
        "segclf.persistence.file:Path",
        "sklearn.utils:Bunch",
        "sklearn.pipeline:make_pipeline",
        "segclf.networks:SegmentationNetwork",
    ],
)
def test_only_estimators_are_built(name, tmp_path):
    with pytest.raises(ValueError, match="is not an estimator"):
        load(forged(tmp_path / "forged", name))


@pytest.mark.parametrize("where", ["parameters", "learned"])
def test_nothing_is_imported_or_built_on_the_way_to_a_refusal(where, tmp_path, monkeypatch):
    (tmp_path / "payload.py").write_text("raise SystemExit('ran')")
    monkeypatch.syspath_prepend(tmp_path)
    built = []
    monkeypatch.setattr(SupervisedSegmenter, "__init__", lambda self: built.append(self))
    inner = {"$estimator": "payload:Payload", "parameters": {}, "learned": {}}
    deep = {"segmenter": {"$tuple": [{"$dict": [{"a": inner}]}]}}
    path = forged(tmp_path / "forged", "segclf:SupervisedSegmenter", **{where: deep})
    with pytest.raises(ValueError, match="payload:Payload"):
        load(path)
    assert built == []
    assert "payload" not in sys.modules


def test_a_class_hidden_in_another_form_is_not_built(tmp_path):
    hidden = {"$texts": {"shape": [1], "dtype": "|O", "values": [{"$estimator": "os:system"}]}}
    with pytest.raises(ValueError, match="os:system"):
        load(forged(tmp_path / "forged", "segclf:ImageClassifier", learned={"classes_": hidden}))


def test_a_class_that_is_gone(tmp_path):
    with pytest.raises(ValueError, match=r"'segclf:Unet', which does not exist"):
        load(forged(tmp_path / "forged", "segclf:Unet"))


def test_a_class_of_your_own(tmp_path):
    path = tmp_path / "saved"
    saved = SegmentationClassifier(summarizer=Mine())
    saved.classes_ = np.array([0, 1])
    save(saved, path)
    with pytest.raises(ValueError, match=r"trusted=\[Mine\]"):
        load(path)
    assert isinstance(load(path, trusted=[Mine]).summarizer, Mine)


def test_classes_of_plugins_come_back_in_a_new_process(tmp_path):
    """There, no module of theirs has been imported."""
    models = {
        f"{plugin.name}.safetensors": load_plugin(plugin.kind, plugin.name)()
        for plugin in list_plugins()
        if plugin.distribution == "segclf" and plugin.kind in ("summarizer", "pseudo_labeler")
    }
    for name, model in models.items():
        save(model, tmp_path / name)
    code = "import sys, segclf\nfor path in sys.argv[1:]: print(type(segclf.load(path)).__name__)"
    command = [sys.executable, "-c", code, *(str(tmp_path / name) for name in models)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [type(model).__name__ for model in models.values()]
