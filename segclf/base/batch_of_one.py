"""Explain what to do if a batch of one image is too small for batch normalization."""

from collections.abc import Iterator, Sized
from contextlib import contextmanager

from segclf.data import Loader

_OF_TORCH = "Expected more than 1 value per channel when training"


@contextmanager
def explained(training: Sized, batches: Loader) -> Iterator[None]:
    """Explain torch's error about a batch of one image and normalization.

    Parameters
    ----------
    training : sized
        The images trained on.
    batches : Loader
        Divides them into batches.

    Raises
    ------
    ValueError
        In place of torch's error, if a normalization has one value per channel.
    """
    try:
        yield
    except ValueError as error:
        if _OF_TORCH not in str(error):
            raise
        raise ValueError(
            f"{_remedy(len(training), batches.batch_size)}. In a batch of one image, a map of "
            "1 x 1 has one value per channel, and batch normalization needs two. Alternatives: "
            "image_size=64 or more, so that the deepest map of an encoder of stride 32 is larger "
            "than that (but not in an architecture that pools the whole image, such as "
            "deeplabv3plus or pspnet); encoder_depth=4 in a segmenter; or an encoder without "
            'batch normalization, such as "tiny".'
        ) from error


def _remedy(n_images: int, batch_size: int) -> str:
    if n_images == 1:
        return "There is one image to train on; give masks or labels of two or more"
    if batch_size == 1:
        return "batch_size=1; expected 2 or more"
    return (
        f"With {n_images} images and batch_size={batch_size}, one is alone in its batch; set "
        f"batch_size={batch_size + 1}"
    )
