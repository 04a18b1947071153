"""Pass a seed to the parts of an estimator, ours or not."""

from typing import Any

from segclf.base.segmenter import Segmenter


def seed_part(part: Any, seed: int) -> None:
    """Seed a segmenter by its own parameter, other parts wherever a seed is None, at any depth."""
    if isinstance(part, Segmenter):
        part.set_params(random_state=seed)
        return
    seeds = {n: v for n, v in part.get_params().items() if n.rpartition("__")[2] == "random_state"}
    part.set_params(**{name: seed for name, value in seeds.items() if value is None})
