import threading

import pytest
import torch

from segclf.isolation import threads


def in_new_thread(function):
    found = []
    worker = threading.Thread(target=lambda: found.append(function()))
    worker.start()
    worker.join()
    return found[0]


def test_they_are_restored_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), threads(before + 1):
        torch.get_num_threads() / 0
    assert torch.get_num_threads() == before


def test_another_thread_has_its_own():
    before = torch.get_num_threads()
    with threads(before + 2):
        assert in_new_thread(torch.get_num_threads) == before
        with threads(before + 1):
            assert torch.get_num_threads() == before + 1
        assert torch.get_num_threads() == before + 2
    assert in_new_thread(torch.get_num_threads) == before


def test_in_any_order_of_coming_and_going():
    """Each sees its own number, the last to leave restores nothing that another one had set."""
    before = torch.get_num_threads()
    barrier, found = threading.Barrier(4), []

    def compute(number):
        own = torch.get_num_threads()
        barrier.wait()
        for _ in range(20):
            with threads(number):
                inside = torch.get_num_threads()
            found.append((own, inside - number, torch.get_num_threads()))

    workers = [threading.Thread(target=compute, args=(number,)) for number in (1, 2, 3, 4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert set(found) == {(before, 0, before)}
    assert in_new_thread(torch.get_num_threads) == torch.get_num_threads() == before
