"""`benchmarks.disk`, a short run of it: what was there before stays whole."""

import errno

import pytest

from benchmarks.disk import KINDS, in_trouble, killed


@pytest.mark.parametrize("call", ["write", "replace"])
@pytest.mark.parametrize("name", KINDS)
def test_a_full_disk(name, call):
    in_trouble(KINDS[name], errno.ENOSPC, call)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_the_end_of_the_process(name):
    killed(name, 0.05)
