import threading

import pytest
import torch
from torch import nn
from torch.nn import functional

from segclf.isolation import get_random_state, seeded, set_random_state

CPU = torch.device("cpu")
ONES = torch.ones(1, 1, 3, 4)
# Whatever a network, a loss or an augmentation may ask for; in C++, several call each other.
SAMPLES = {
    "rand": lambda: torch.rand(3),
    "randn": lambda: torch.randn(3),
    "rand_like": lambda: torch.rand_like(ONES),
    "randint": lambda: torch.randint(9, (3,)),
    "randperm": lambda: torch.randperm(9),
    "normal": lambda: torch.normal(0.0, 1.0, (3,)),
    "bernoulli": lambda: torch.bernoulli(torch.full((9,), 0.5)),
    "multinomial": lambda: torch.multinomial(torch.ones(9), 3),
    "gamma": lambda: torch.distributions.Gamma(ONES, ONES).sample(),
    "the default generator": lambda: torch.rand(3, generator=torch.default_generator),
    "uniform_": lambda: torch.empty(3).uniform_(),
    "exponential_": lambda: torch.empty(3).exponential_(),
    "dropout": lambda: functional.dropout(torch.ones(9)),
    "dropout2d": lambda: functional.dropout2d(ONES.expand(1, 9, 3, 4)),
    "alpha_dropout": lambda: functional.alpha_dropout(ONES, training=True),
    "rrelu": lambda: functional.rrelu(-ONES, training=True),
    "gumbel_softmax": lambda: functional.gumbel_softmax(ONES),
    "attention": lambda: functional.scaled_dot_product_attention(ONES, ONES, ONES, dropout_p=0.5),
    "Linear": lambda: nn.Linear(3, 3).weight,
    "Conv2d": lambda: nn.Conv2d(3, 3, 3).bias,
    "Embedding": lambda: nn.Embedding(3, 3).weight,
    "LSTM": lambda: nn.LSTM(3, 3, 2, dropout=0.5)(torch.ones(2, 1, 3))[0],
    "transformer": lambda: nn.TransformerEncoderLayer(8, 2, 16)(torch.ones(2, 3, 8)),
    "trunc_normal_": lambda: nn.init.trunc_normal_(torch.empty(3)),
    "orthogonal_": lambda: nn.init.orthogonal_(torch.empty(3, 3)),
    "kaiming_normal_": lambda: nn.init.kaiming_normal_(torch.empty(3, 3)),
}


def sampled(name):
    """Twice, since a network asks more than once."""
    return torch.cat([SAMPLES[name]().detach().flatten().float() for _ in range(2)])


@pytest.mark.parametrize("name", SAMPLES)
def test_the_bits_are_those_of_manual_seed_and_the_default_generator_stays(name):
    torch.manual_seed(5)
    expected = sampled(name)
    before = torch.get_rng_state()
    with seeded(5):
        assert torch.equal(sampled(name), expected)
    assert torch.equal(torch.get_rng_state(), before)


def test_every_operation_that_takes_a_generator_is_covered():
    """Each has a kernel at our key, those that later versions of torch bring too."""
    with seeded(0):
        pass
    registered = torch._C._dispatch_get_registrations_for_dispatch_key("TESTING_ONLY_GenericMode")
    random = {
        f"{schema.name}.{schema.overload_name}".rstrip(".")
        for schema in torch._C._jit_get_all_schemas()
        if schema.name.startswith("aten::")
        and any(argument.name == "generator" for argument in schema.arguments)
    }
    assert len(random) > 50
    assert random <= set(registered)


def test_threads_sample_each_from_its_own():
    expected = {}
    for seed in range(3):
        with seeded(seed):
            expected[seed] = [sampled(name) for name in SAMPLES]
    before, right = torch.get_rng_state(), []

    def sample(seed):
        with seeded(seed):
            values = [sampled(name) for name in SAMPLES]
        right.append(all(map(torch.equal, values, expected[seed])))

    workers = [threading.Thread(target=sample, args=(number % 3,)) for number in range(12)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert right == [True] * 12
    assert torch.equal(torch.get_rng_state(), before)


def test_within_another_and_after_an_error():
    with seeded(1):
        expected = torch.rand(4)
    with seeded(1):
        first = torch.rand(2)
        with pytest.raises(RuntimeError), seeded(2):
            torch.rand(7) @ torch.rand(8)
        assert torch.equal(torch.cat([first, torch.rand(2)]), expected)


def test_a_given_generator_is_used():
    expected = torch.rand(3, generator=torch.Generator().manual_seed(8))
    with seeded(1):
        assert torch.equal(torch.rand(3, generator=torch.Generator().manual_seed(8)), expected)
        assert not torch.equal(torch.rand(3), expected)


def test_gradients_pass():
    with seeded(1):
        x = torch.ones(100, requires_grad=True)
        dropped = functional.dropout(x, 0.25)
        dropped.sum().backward()
        assert torch.equal(x.grad, dropped.detach())


def test_the_state_is_this_threads():
    torch.manual_seed(4)
    state = get_random_state(CPU)
    expected = torch.rand(3)
    with seeded(1):
        torch.rand(1)
        set_random_state(state, CPU)
        assert torch.equal(torch.rand(3), expected)
        mine = get_random_state(CPU)
    after = torch.get_rng_state()
    set_random_state(mine, CPU)
    assert torch.equal(torch.get_rng_state(), after)
