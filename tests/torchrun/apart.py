"""A script for ``torchrun``: what happens where processes do not do the same."""

import os
import signal
from pathlib import Path

from segclf import SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.distributed import is_first, n_processes, rank
from segclf.training import loop

SHAPES = make_shapes(8, image_size=16, n_objects=2, target_radius=4, random_state=0)


def fitted(images=SHAPES.images, **settings):
    settings = {"encoder": "tiny", "max_epochs": 2, "batch_size": 4, "random_state": 0, **settings}
    settings |= {"optimizer": "sgd", "learning_rate": 0.01, "schedule": "constant"}
    return SupervisedSegmenter(**settings).fit(images, SHAPES.masks)


def message_of(kind, action):
    try:
        action()
    except kind as error:
        return str(error)
    return "nothing was raised"


def end_one():
    """Let the last process end in the second epoch."""
    train_epoch = loop._train_epoch

    def watched(run, batches, plan, state, deadline):
        if state.epoch == 1 and rank() == n_processes() - 1:
            os._exit(1)
        return train_epoch(run, batches, plan, state, deadline)

    loop._train_epoch = watched
    fitted()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # so that torchrun does not end them first
    fitted(checkpoint="kept", checkpoint_every=1, verbose=1)
    Path(f"data-{rank()}").write_text(
        message_of(ValueError, lambda: fitted(SHAPES.images + rank()))
    )
    first = is_first()
    said = message_of(RuntimeError, end_one)
    Path("ended").write_text(said if first else "")
