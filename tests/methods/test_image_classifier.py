import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from segclf import ImageClassifier
from segclf.datasets import make_shapes


def classifier(**changes):
    settings = {"encoder": "tiny", "max_epochs": 2, "learning_rate": 1e-2, "random_state": 0}
    return ImageClassifier(**{**settings, **changes})


@pytest.fixture(scope="module")
def shapes():
    return make_shapes(40, image_size=32, n_objects=3, target_radius=8, random_state=0)


def test_it_fits_what_it_sees(shapes):
    fitted = classifier(max_epochs=60).fit(shapes.images, shapes.target)
    assert roc_auc_score(shapes.target, fitted.predict_proba(shapes.images)[:, 1]) > 0.9


def test_masks_are_accepted_and_change_nothing(shapes):
    without = classifier().fit(shapes.images, shapes.target)
    with_masks = classifier().fit(shapes.images, shapes.target, masks=shapes.masks)
    np.testing.assert_array_equal(
        without.predict_proba(shapes.images), with_masks.predict_proba(shapes.images)
    )


def test_unlabeled_images_are_left_out(shapes):
    labels = np.where(np.arange(40) < 30, shapes.target, -1)
    part = classifier().fit(shapes.images[:30], shapes.target[:30])
    whole = classifier().fit(shapes.images, labels)
    np.testing.assert_array_equal(
        part.predict_proba(shapes.images), whole.predict_proba(shapes.images)
    )


def test_groups_must_fit_the_images(shapes):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        classifier().fit(shapes.images, shapes.target, groups=np.arange(41))


def test_multilabel(shapes):
    labels = np.stack([shapes.target, 1 - shapes.target, shapes.spurious], axis=1)
    fitted = classifier().fit(shapes.images, labels)
    assert fitted.predict_proba(shapes.images).shape == (40, 3)
    assert set(np.unique(fitted.predict(shapes.images))) <= {0, 1}


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_losses_by_name(shapes, loss):
    assert np.isfinite(
        classifier(loss=loss).fit(shapes.images, shapes.target).history_["loss"]
    ).all()


def test_gray_images_of_16_bit(shapes):
    gray = (shapes.images[..., 0].astype(np.uint16)) * 257
    fitted = classifier().fit(gray, shapes.target)
    assert fitted.n_channels_ == 1
    with pytest.raises(ValueError, match="3 channel"):
        fitted.predict(shapes.images)
