import joblib
import torch

from segclf.training.devices import choose_device, choose_threads, seeded, threads


def test_the_rule_in_its_order(monkeypatch):
    monkeypatch.delenv("SEGCLF_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert choose_threads(None) == 3
    monkeypatch.setenv("SEGCLF_NUM_THREADS", "2")
    assert choose_threads(None) == 2
    assert choose_threads(1) == 1


def test_workers_take_one_thread_each(monkeypatch):
    monkeypatch.delenv("SEGCLF_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(choose_threads)(None) for _ in range(2))
    assert found == [1, 1]


def test_threads_are_restored_after_an_error():
    before = torch.get_num_threads()
    try:
        with threads(before + 1):
            assert torch.get_num_threads() == before + 1
            raise KeyError
    except KeyError:
        assert torch.get_num_threads() == before


def test_seeding_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    first = torch.rand(1)
    with seeded(7, torch.device("cpu")):
        inside = torch.rand(1)
    assert torch.equal(torch.cat([first, torch.rand(1)]), expected)
    with seeded(7, torch.device("cpu")):
        assert torch.equal(torch.rand(1), inside)


def test_a_device_by_name():
    assert choose_device("cpu") == torch.device("cpu")
