"""What to change where a batch of one image is too little for batch normalization."""

from collections.abc import Iterator, Sized
from contextlib import contextmanager

from segclf.data import Loader

_OF_TORCH = "Expected more than 1 value per channel when training"


@contextmanager
def explained(training: Sized, batches: Loader) -> Iterator[None]:
    """Say in our words that a batch of one image leaves a normalization one value per channel.

    Parameters
    ----------
    training : sized
        The images trained on.
    batches : Loader
        What makes batches of them.

    Raises
    ------
    ValueError
        In place of torch's.
    """
    try:
        yield
    except ValueError as error:
        if _OF_TORCH not in str(error):
            raise
        raise ValueError(
            f"{_remedy(len(training), batches.batch_size)}. In a batch of one image, a map of "
            "1 x 1 has one value per channel, and batch normalization needs two. What also helps: "
            "image_size=64 or more, where the deepest map of an encoder of stride 32 is larger "
            "than that (but not in an architecture that pools the whole image, such as "
            "deeplabv3plus or pspnet); encoder_depth=4 in a segmenter; or an encoder without "
            'batch normalization, such as "tiny".'
        ) from error


def _remedy(n_images: int, batch_size: int) -> str:
    if n_images == 1:
        return "There is one image to train on; give masks or labels of two or more"
    if batch_size == 1:
        return "batch_size=1; take two or more"
    return (
        f"Of {n_images} images with batch_size={batch_size}, one is left alone in its batch; take "
        f"batch_size={batch_size + 1}"
    )
