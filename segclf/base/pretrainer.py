"""Pretrainers: ``fit(X)`` with images alone, ``transform(X)`` gives their embeddings."""

import math
from typing import Any, ClassVar, Self

from sklearn.callback import with_callbacks

from segclf.base.image_transformer import ImageTransformer
from segclf.base.network_estimator import NetworkEstimator
from segclf.base.volume_parameters import VolumeParameters
from segclf.data import Images, ImagesLike, Samples
from segclf.networks import ClassificationNetwork, classification_network


class Pretrainer(ImageTransformer, NetworkEstimator):
    """What all pretrainers share.

    Handed to a segmenter or classifier as ``pretrainer=``, unfitted, a pretrainer is cloned and
    fitted on all of the images there; what it leaves open (None) of network, image size, threads
    and seed is then as there. Inside ``sklearn.frozen.FrozenEstimator`` it is used as it is.
    """

    _for_volumes: ClassVar[str] = (
        "MAEPretrainer, OtsuPretrainer and SimSiamPretrainer pretrain encoders of volumes."
    )
    # A method that compares the images of a batch needs two of them.
    _fewest_images: ClassVar[int] = 1

    @with_callbacks
    def fit(self, X: ImagesLike, y: Any = None) -> Self:
        """Train on images.

        Parameters
        ----------
        X : array, list, paths or tensor
            The n images.
        y : ignored
            Accepted because scikit-learn passes it along.

        Returns
        -------
        self
            The fitted estimator.
        """
        images = self._open(X)
        self._check_batches(len(images))
        self._learn(self._make_samples(images), X=X, y=y)
        return self

    def _check_batches(self, n_images: int) -> None:
        n_training = n_images - math.ceil(self.validation_fraction * n_images)
        if n_training < self._fewest_images * math.ceil(n_training / self.batch_size):
            raise ValueError(
                f"{type(self).__name__} compares the images of a batch, and of {n_training} images "
                f"with batch_size={self.batch_size} there is a batch of 1 sample; expected "
                f"{self._fewest_images} at least. Take larger batches, or more images."
            )

    def _network_parameters(self, recipe: dict[str, Any]) -> dict[str, Any]:
        """Return, by our names, how the network is built, and from what, that we are handed to."""
        return recipe

    def _make_samples(self, images: Images) -> Samples:
        """Return what to learn from: the images, and targets that the method makes of them."""
        return Samples(images=images, size=self.image_size_)


class EncoderPretrainer(Pretrainer):
    """A pretrainer of one encoder.

    Parameters
    ----------
    encoder : str or None
        A name as in `ImageClassifier`. None is that of the estimator that this one is handed to, on
        its own the paper's.
    encoder_weights : str, path or None
        Pretrained weights: "imagenet", "timm/" and the name of a model of timm (see
        docs/pretraining.md), or a local file. None starts from scratch.
    """

    encoder: str | None = None
    encoder_weights: Any = None

    # What the paper pretrains.
    _paper_encoder: ClassVar[str] = "resnet50"
    # A method for transformers alone says True.
    _needs_transformer: ClassVar[bool] = False

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "encoder": [str, None],
    }

    def _make_encoder(self, samples: Samples, **options: Any) -> ClassificationNetwork:
        """Build the network from images to embeddings."""
        return classification_network(
            encoder=self.encoder or self._paper_encoder,
            encoder_weights=self.encoder_weights,
            in_channels=samples.images.n_channels,
            n_classes=0,
            **options,
        )


class VolumeEncoderPretrainer(VolumeParameters, EncoderPretrainer):
    """A pretrainer of one encoder, of images or of volumes."""

    def _make_encoder(self, samples: Samples, **options: Any) -> ClassificationNetwork:
        strides = self._strides(samples.images, samples.size)
        return super()._make_encoder(samples, encoder_strides=strides, **options)
