"""How many images encoders are given."""

from collections import Counter
from functools import partial

import torch


def watch_encoder(monkeypatch, kind, tell, *, of_predictions=True):
    """Tell how many images are in each batch that encoders of a class compute."""
    forward = kind.forward

    def watched(self, images):
        if of_predictions or not torch.is_inference_mode_enabled():
            tell(len(images))
        return forward(self, images)

    monkeypatch.setattr(kind, "forward", watched)


def count_encoded(monkeypatch, *kinds):
    """Count the images that encoders of these classes compute, but for predictions."""
    counts = Counter()
    for kind in kinds:
        add = partial(_add, counts, kind.__name__)
        watch_encoder(monkeypatch, kind, add, of_predictions=False)
    return counts


def _add(counts, name, n_images):
    counts[name] += n_images
