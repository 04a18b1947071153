"""Count the scikit-learn checks that our estimators pass, compared with skorch's.

Run ``python -m benchmarks.compliance [--folder results]``: a table on the screen, and the files
scikit_learn_compliance.md and .json. It fails when a check of ours fails or is skipped.

Ours run with default tags and default batch size. skorch gets the help that its documentation
recommends: a module that casts to float, and a callback that sets the number of classes.
"""

import os

os.environ["SCIPY_ARRAY_API"] = "1"  # scipy reads it when imported; one check is skipped without

import argparse
import collections
import datetime
import json
import platform
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import skorch
import torch
from sklearn.base import is_classifier
from sklearn.utils import estimator_checks

import segclf
from segclf.base import ImageTransformer
from segclf.testing.small import small_estimator

# Mini-batch training is not invariant to repeating rows; scikit-learn exempts its own estimators
# of that kind from these checks for the same reason.
EXPECTED = {
    f"check_sample_weight_equivalence_on_{kind}_data": "mini-batches are drawn by row"
    for kind in ("dense", "sparse")
}
MULTILABEL = (  # check_estimator runs these only under a tag that is not the default
    estimator_checks.check_classifiers_multilabel_representation_invariance,
    estimator_checks.check_classifiers_multilabel_output_format_predict,
    estimator_checks.check_classifiers_multilabel_output_format_predict_proba,
    estimator_checks.check_classifiers_multilabel_output_format_decision_function,
)
PACKAGES = ("segclf", "scikit-learn", "skorch", "torch", "numpy", "scipy")
STATES = ("passed", "xfail", "failed", "skipped")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=os.environ.get("CI_ARTIFACTS", "results"))
    folder = Path(parser.parse_args().folder)
    torch.set_num_threads(1)
    report = {
        "date": datetime.date.today().isoformat(),
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        "estimators": {name: checked(estimator) for name, estimator in estimators().items()},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scikit_learn_compliance.json").write_text(json.dumps(report, indent=1))
    (folder / "scikit_learn_compliance.md").write_text(table(report))
    print(table(report))
    ours = [e for name, e in report["estimators"].items() if not name.startswith("skorch")]
    return int(any(counts(e)["failed"] + counts(e)["skipped"] for e in ours))


def estimators():
    public = [getattr(segclf, name) for name in segclf.__all__]
    kinds = [kind for kind in public if isinstance(kind, type) and hasattr(kind, "get_params")]
    classifiers = [kind for kind in kinds if is_classifier(kind())]
    transformers = [kind for kind in kinds if issubclass(kind, ImageTransformer)]
    return {
        **{kind.__name__: small_estimator(kind, max_epochs=5) for kind in classifiers},
        **{kind.__name__: small_estimator(kind) for kind in transformers},
        "skorch NeuralNetClassifier": skorch.NeuralNetClassifier(
            Perceptron, max_epochs=20, lr=0.1, verbose=0, callbacks=[NumberOfClasses()]
        ),
    }


def checked(estimator):
    """Run all checks: {"check_estimator": [...], "multilabel": [...]}, a dict for each check."""
    torch.manual_seed(0)  # skorch has no random_state
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = estimator_checks.check_estimator(
            estimator, expected_failed_checks=EXPECTED, on_fail=None, on_skip=None
        )
        return {
            "check_estimator": [
                described(one["check_name"], one["status"], one["exception"]) for one in results
            ],
            "multilabel": [
                multilabel_checked(check, estimator)
                for check in (MULTILABEL if is_classifier(estimator) else ())
            ],
        }


def multilabel_checked(check, estimator):
    try:
        check(type(estimator).__name__, estimator)
    except Exception as error:
        return described(check.__name__, "failed", error)
    return described(check.__name__, "passed", None)


def described(check, state, error):
    first_line = str(error).strip().partition("\n")[0][:200]
    reason = "" if error is None else f"{type(error).__name__}: {first_line}"
    return {"check": check, "state": state, "reason": reason}


def counts(results):
    found = collections.Counter(one["state"] for one in results["check_estimator"])
    return {state: found[state] for state in STATES}


def table(report):
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    lines = [
        f"{report['date']}; {versions}.",
        "",
        "| estimator | checks | passed | expected failures | failed | skipped | multi-label |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, results in report["estimators"].items():
        numbers = counts(results)
        many = results["multilabel"]
        passed = sum(one["state"] == "passed" for one in many)
        both = f"{passed} of {len(many)}" if many else ""
        cells = [name, sum(numbers.values()), *numbers.values(), both]
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


class Perceptron(torch.nn.Module):
    """One hidden layer, on rows of any width and type."""

    def __init__(self, n_classes=2):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.LazyLinear(20),
            torch.nn.ReLU(),
            torch.nn.Linear(20, n_classes),
            torch.nn.Softmax(dim=-1),
        )

    def forward(self, X):
        return self.layers(X.float())


class NumberOfClasses(skorch.callbacks.Callback):
    """Tell the module how many classes there are."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        n_classes = len(np.unique(np.asarray(y))) if y is not None else 2
        if net.module_.layers[2].out_features != n_classes:
            net.set_params(module__n_classes=n_classes)


if __name__ == "__main__":
    sys.exit(main())
