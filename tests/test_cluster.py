"""Searches over a Dask cluster find what searches in one process find."""

import subprocess
import sys

import joblib
import numpy as np
import pytest
from house.modules import ROOT
from PIL import Image
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, StratifiedKFold

from segclf import SegmentationClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes

SHAPES = make_shapes(16, image_size=16, n_objects=2, target_radius=4, random_state=0)
GRID = {"segmenter__learning_rate": [1e-3, 1e-2]}


@pytest.fixture
def workers():
    """Two workers, in threads of this process."""
    from dask.distributed import Client, LocalCluster

    workers = {"n_workers": 2, "threads_per_worker": 1, "processes": False}
    with LocalCluster(**workers, dashboard_address=None) as cluster, Client(cluster):
        yield joblib.parallel_config("dask")


def written(folder):
    """Write images and masks as files, and return their paths."""
    paths = [[str(folder / f"{kind}{i}.png") for i in range(16)] for kind in ("image", "mask")]
    for of_kind, arrays in zip(paths, (SHAPES.images, SHAPES.masks), strict=True):
        for path, array in zip(of_kind, arrays, strict=True):
            Image.fromarray(array.astype(np.uint8)).save(path)
    return paths


# The documentation's page is a default test of the other.
@pytest.mark.parametrize(
    "kind", [pytest.param(GridSearchCV, marks=pytest.mark.slow), HalvingGridSearchCV]
)
def test_same_scores(kind, tmp_path, workers):
    paths, masks = written(tmp_path)
    segmenter = SupervisedSegmenter(encoder="tiny", max_epochs=1)
    folds = StratifiedKFold(2).split(paths, SHAPES.target)
    folds = [(train.tolist(), test.tolist()) for train, test in folds]

    def search(memory, n_jobs):
        classifier = SegmentationClassifier(segmenter, memory=tmp_path / memory, random_state=0)
        options = {"random_state": 0, "factor": 2} if kind is HalvingGridSearchCV else {}
        found = kind(classifier, GRID, cv=folds, n_jobs=n_jobs, error_score="raise", **options)
        found.fit(paths, SHAPES.target.tolist(), masks=masks)
        return found.cv_results_["mean_test_score"], found.predict_proba(paths)

    alone = search("alone", n_jobs=1)
    with workers:
        together = search("together", n_jobs=-1)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_nothing_is_lost_where_a_worker_is_killed():
    command = [sys.executable, "-m", "benchmarks.cluster", "--short"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
