"""Fits and predictions in threads give what they give alone, and change nothing for others."""

import copy
import multiprocessing
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import torch
from every_method import METHODS, SHAPES, fitted, outputs
from house.modules import ROOT
from sklearn.model_selection import GridSearchCV

from segclf import SegmentationClassifier, SupervisedSegmenter

N_THREADS = 8
# Each public method once, and some twice.
FITS = [*METHODS, *METHODS][:24]


def global_state():
    numpy_state = np.random.get_state(legacy=False)  # noqa: NPY002
    return repr(
        [
            torch.get_rng_state().tolist(),
            torch.get_num_threads(),
            ThreadPoolExecutor(1).submit(torch.get_num_threads).result(),
            torch.get_default_dtype(),
            torch.backends.cudnn.deterministic,
            torch.backends.cudnn.benchmark,
            numpy_state["state"]["key"].tolist(),
            numpy_state["state"]["pos"],
        ]
    )


@pytest.mark.filterwarnings("ignore::segclf.objectives.CollapseWarning")
def test_eight_threads_fit_what_one_fits():
    alone = {kind: outputs(fitted(kind)) for kind in METHODS}
    before = global_state()
    with ThreadPoolExecutor(N_THREADS) as pool:
        together = list(pool.map(lambda kind: outputs(fitted(kind)), FITS))
    for kind, output in zip(FITS, together, strict=True):
        np.testing.assert_array_equal(output, alone[kind], err_msg=kind.__name__)
    assert global_state() == before


def test_threads_that_predict_with_one_model():
    model = fitted(SegmentationClassifier)
    expected = model.predict_proba(SHAPES.images)
    with ThreadPoolExecutor(N_THREADS) as pool:
        for output in pool.map(lambda _: model.predict_proba(SHAPES.images), range(24)):
            np.testing.assert_array_equal(output, expected)


def test_a_search_in_threads_chooses_what_a_search_in_turn_chooses():
    search = GridSearchCV(
        SupervisedSegmenter(encoder="tiny", max_epochs=2, random_state=0),
        {"learning_rate": [1e-3, 1e-2, 1e-1], "augmentation": [None, "flips"]},
        cv=2,
    )
    masks = list(SHAPES.masks)
    in_turn = search.fit(SHAPES.images, masks)
    scores, best = in_turn.cv_results_["mean_test_score"], in_turn.best_params_
    with joblib.parallel_config("threading", n_jobs=4):
        in_threads = search.fit(SHAPES.images, masks)
    np.testing.assert_array_equal(in_threads.cv_results_["mean_test_score"], scores)
    assert in_threads.best_params_ == best


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_does_not_wait_for_threads_that_it_lacks():
    """OpenMP's pool of two threads stays behind in the parent."""
    model = SupervisedSegmenter(encoder="tiny", max_epochs=1, random_state=0, n_threads=2)
    model.fit(SHAPES.images, SHAPES.masks)
    expected = copy.deepcopy(model).set_params(n_threads=1).predict_proba(SHAPES.images)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        found = pool.apply_async(model.predict_proba, (SHAPES.images,)).get(timeout=120)
        assert pool.apply_async(torch.get_num_threads).get(timeout=120) == 1
    np.testing.assert_array_equal(found, expected)


def fit_on(n_threads):
    settings = {"encoder": "tiny", "max_epochs": 1, "random_state": 0, "n_threads": n_threads}
    return outputs(SupervisedSegmenter(**settings).fit(SHAPES.images, SHAPES.masks))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_processes_that_are_forked_while_threads_fit_fit_as_one_thread_does():
    expected = fit_on(1)
    with ThreadPoolExecutor(2) as threads:
        beside = [threads.submit(fit_on, 2) for _ in range(4)]
        with multiprocessing.get_context("fork").Pool(2) as pool:
            for found in pool.map_async(fit_on, [2, 2]).get(timeout=120):
                np.testing.assert_array_equal(found, expected)
        for one in beside[1:]:
            np.testing.assert_array_equal(one.result(), beside[0].result())


@pytest.mark.slow
def test_every_way_to_compute_at_once():
    command = [sys.executable, "-m", "benchmarks.processes"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("same bits") == 2 * 2 * 7
