"""Pretrainers: ``fit(X)`` with images alone, ``transform(X)`` returns their embeddings."""

import math
from typing import Any, ClassVar, Self

from sklearn.callback import with_callbacks

from segclf.base.image_transformer import ImageTransformer
from segclf.base.network_estimator import NetworkEstimator
from segclf.base.volume_parameters import VolumeParameters
from segclf.data import Images, ImagesLike, Samples
from segclf.networks import ClassificationNetwork, classification_network


class Pretrainer(ImageTransformer, NetworkEstimator):
    """Base class of all pretrainers.

    Passed unfitted to a segmenter or classifier as ``pretrainer=``, a pretrainer is cloned and
    fitted on all images there. Its parameters for network, image size, threads and seed that are
    None then have the values of that estimator. Inside ``sklearn.frozen.FrozenEstimator`` it is
    used unchanged.
    """

    _for_volumes: ClassVar[str] = (
        "MAEPretrainer, OtsuPretrainer and SimSiamPretrainer pretrain encoders of volumes."
    )
    # 2 for a method that compares the images of a batch.
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
                f"{type(self).__name__} compares the images of a batch, but {n_training} images "
                f"with batch_size={self.batch_size} leave a batch of 1 sample; expected at least "
                f"{self._fewest_images}. Use larger batches, or more images."
            )

    def _network_parameters(self, recipe: dict[str, Any]) -> dict[str, Any]:
        """Return, under our names, the build and the weights of the network to pretrain."""
        return recipe

    def _make_samples(self, images: Images) -> Samples:
        """Return the samples to learn from: the images, and targets made by the method."""
        return Samples(images=images, size=self.image_size_)


class EncoderPretrainer(Pretrainer):
    """A pretrainer of one encoder.

    Parameters
    ----------
    encoder : str or None
        A name as in `ImageClassifier`. None is the encoder of the estimator that uses this
        pretrainer; if it is fitted alone, the paper's.
    encoder_weights : str, path or None
        Pretrained weights: "imagenet"; "timm/" and the name of a timm model (see
        docs/pretraining.md); or a local file. None starts from scratch.
    """

    encoder: str | None = None
    encoder_weights: Any = None

    # The encoder in the paper.
    _paper_encoder: ClassVar[str] = "resnet50"
    # True for a method that needs a transformer.
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
    """A pretrainer of one encoder, for images or volumes."""

    def _make_encoder(self, samples: Samples, **options: Any) -> ClassificationNetwork:
        strides = self._strides(samples.images, samples.size)
        return super()._make_encoder(samples, encoder_strides=strides, **options)
