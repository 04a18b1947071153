"""A property that is computed once: no thread and no forked process waits for another."""

import threading

import pytest
from isolation.forked import in_child

from segclf.isolation.cached import cached_property


class Slow:
    def __init__(self):
        self.begun, self.over = threading.Event(), threading.Event()

    @cached_property
    def value(self):
        self.begun.set()
        self.over.wait(10)
        return object()


@pytest.fixture
def slow():
    slow = Slow()
    thread = threading.Thread(target=lambda: slow.value)
    thread.start()
    slow.begun.wait()
    yield slow
    slow.over.set()
    thread.join()


def quick_value():
    quick = Slow()
    quick.over.set()
    return quick.value


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_process_that_is_forked_meanwhile_computes_its_own(slow):
    assert in_child(quick_value)


def test_other_instances_do_not_wait(slow):
    assert quick_value()
    assert "value" not in vars(slow)


def test_threads_that_ask_at_once_get_one_object(slow):
    found = []
    thread = threading.Thread(target=lambda: found.append(slow.value))
    thread.start()
    slow.over.set()
    thread.join()
    assert found == [slow.value]


def test_it_is_computed_once():
    quick = Slow()
    quick.over.set()
    assert quick.value is quick.value
    assert isinstance(Slow.value, cached_property)
