import sys

import early
import pytest
import torch

from segclf.training.devices import choose_device, choose_threads


def test_the_rule_in_its_order(monkeypatch):
    monkeypatch.delenv("SEGCLF_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert choose_threads(None) == 3
    monkeypatch.setenv("SEGCLF_NUM_THREADS", "2")
    assert choose_threads(None) == 2
    assert choose_threads(1) == 1


IN_WORKERS = """
import os, joblib
os.environ.pop("SEGCLF_NUM_THREADS", None)
from segclf.training.devices import choose_threads
print(joblib.Parallel(n_jobs=2)(joblib.delayed(choose_threads)(None) for _ in range(2)))
"""
WORKERS = early.Process((sys.executable, "-c", IN_WORKERS), (("OMP_NUM_THREADS", "3"),))


@pytest.mark.early(WORKERS)
def test_workers_take_one_thread_each():
    assert early.result(WORKERS).output == "[1, 1]\n"


def test_a_device_by_name():
    assert choose_device("cpu") == torch.device("cpu")
