"""How many images encoders are given in training."""

from collections import Counter

import torch


def count_encoded(monkeypatch, *kinds):
    """Count the images that encoders of these classes compute, but for predictions."""
    counts = Counter()

    def counting(kind):
        forward = kind.forward

        def counted(self, images):
            if not torch.is_inference_mode_enabled():
                counts[kind.__name__] += len(images)
            return forward(self, images)

        return counted

    for kind in kinds:
        monkeypatch.setattr(kind, "forward", counting(kind))
    return counts
