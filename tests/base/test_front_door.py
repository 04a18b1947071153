import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.utils import _safe_indexing

import segclf
from segclf import (
    ImageClassifier,
    PseudoLabelSemiSupervised,
    SegmentationClassifier,
    SimSiamPretrainer,
    SupervisedSegmenter,
)
from segclf.base.front_door import check_rows, check_weights, holds_images
from segclf.data import as_images
from segclf.datasets import make_shapes


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((2, 4, 4)),
        np.zeros((2, 4, 4, 3)),
        torch.zeros(2, 3, 4, 4),
        [np.zeros((4, 4)), np.zeros((5, 4))],
        (np.zeros((4, 4, 3)),),
        ["a.png", "b.png"],
        np.array(["a.png", "b.png"]),
        np.array(["a.png", "b.png"], dtype=object),
        pd.Series(["a.png", "b.png"]),
        pd.DataFrame({"path": ["a.png", "b.png"]}),
        np.array([["a.png"], ["b.png"]], dtype=object),
        [Image.new("L", (4, 4))],
        [{"image": Image.new("L", (4, 4)), "label": 1}],
        [(torch.zeros(3, 4, 4), 1)],
        torch.utils.data.TensorDataset(torch.zeros(2, 3, 4, 4)),
        as_images(np.zeros((2, 4, 4))),
    ],
)
def test_images(X):
    assert holds_images(X)


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((2, 4)),
        np.zeros(3),
        [[1.0, 2.0], [3.0, 4.0]],
        [np.zeros(4), np.zeros(4)],
        pd.DataFrame({"a": [1.0], "b": [2.0]}),
        pd.DataFrame({"a": [1.0]}),
        np.array([[1.0], [2.0]], dtype=object),
        [(1.0, 2.0)],
        [],
        None,
        3.0,
    ],
)
def test_rows_and_what_scikit_learn_shall_refuse(X):
    assert not holds_images(X)


def test_weights():
    assert check_weights(None, 2) is None
    assert check_weights([1, 0.5], 2).dtype == np.float32


@pytest.mark.parametrize("weights", [2, 1e-3, [1, 1], np.full(2, 0.5), [3e-30, 3e-30]])
def test_equal_weights_are_no_weights(weights):
    assert check_weights(weights, 2) is None


@pytest.mark.parametrize("scale", [1, 1e-3, 7.3, 1 / 4])
def test_weights_are_one_in_the_mean_of_those_that_count(scale):
    given = scale * np.array([1, 0, 2, 0, 3.0])
    np.testing.assert_allclose(check_weights(given, 5), [0.5, 0, 1, 0, 1.5], rtol=1e-6)
    left_out = check_weights(scale * np.array([1, 0, 1, 0, 1.0]), 5)
    assert left_out.tolist() == [1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, -1], r"must not be negative, but is -1.0 for sample 1"),
        ([0, 0], "zero"),
        ([1, 2, 3], "inconsistent"),
        ([[1], [2]], "1D"),
        ([1, np.nan], "NaN"),
    ],
)
def test_wrong_weights_say_what_is_wrong(weights, message):
    with pytest.raises(ValueError, match=message):
        check_weights(weights, 2)


SHAPES = make_shapes(12, image_size=16, n_objects=2, target_radius=4, random_state=0)
QUICK = {"encoder": "tiny", "max_epochs": 1, "random_state": 0}
FLOATS = SHAPES.images.astype(np.float32)


class Pictures(torch.utils.data.Dataset):
    """A Dataset of (image, label), as torchvision has them."""

    def __init__(self):
        self.asked = 0

    def __len__(self):
        return len(SHAPES.images)

    def __getitem__(self, index):
        self.asked += 1
        return Image.fromarray(SHAPES.images[index]), int(SHAPES.target[index])


@pytest.fixture(scope="module")
def fitted():
    return ImageClassifier(**QUICK).fit(SHAPES.images, SHAPES.target)


@pytest.fixture
def table(tmp_path):
    for number, image in enumerate(SHAPES.images):
        Image.fromarray(image).save(tmp_path / f"{number:02}.png")
    return pd.DataFrame({"path": sorted(map(str, tmp_path.glob("*.png")))})


def kinds(table):
    pictures = [Image.fromarray(image) for image in SHAPES.images]
    return {
        "table of paths": table,
        "column of paths": table.to_numpy(),
        "table of arrays": pd.DataFrame({"image": list(SHAPES.images)}),
        "PIL images": pictures,
        "rows with an image": [{"image": picture} for picture in pictures],
        "Dataset": Pictures(),
        "images": as_images(SHAPES.images),
        "tensor": torch.from_numpy(SHAPES.images).permute(0, 3, 1, 2),
    }


def test_each_kind_is_the_same_images(fitted, table):
    expected = fitted.predict_proba(SHAPES.images)
    for name, X in kinds(table).items():
        np.testing.assert_array_equal(fitted.predict_proba(X), expected, err_msg=name)


def test_each_kind_goes_through_folds_and_composed_estimators(table):
    y, masks = SHAPES.target, SHAPES.masks
    segmenter = SupervisedSegmenter(**QUICK, pretrainer=SimSiamPretrainer(**QUICK))
    composed = SegmentationClassifier(segmenter=segmenter, cv=2, summarizer=LogisticRegression())
    expected = composed.fit(SHAPES.images, y, masks=masks).predict_proba(SHAPES.images)
    scores = cross_val_score(ImageClassifier(**QUICK), SHAPES.images, y, cv=2)
    for name in ("table of paths", "rows with an image", "Dataset"):
        X = kinds(table)[name]
        given = composed.fit(X, y, masks=masks).predict_proba(X)
        np.testing.assert_array_equal(given, expected, err_msg=name)
        again = cross_val_score(ImageClassifier(**QUICK), X, y, cv=2, error_score="raise")
        np.testing.assert_array_equal(again, scores, err_msg=name)


def test_each_kind_is_pseudo_labeled(table):
    masks = [*SHAPES.masks[:6], *[None] * 6]
    learner = PseudoLabelSemiSupervised(
        SupervisedSegmenter(**QUICK), labeler="self_training", baseline=False, random_state=0
    )
    expected = learner.fit(SHAPES.images, masks).predict(SHAPES.images)
    for name, X in kinds(table).items():
        np.testing.assert_array_equal(learner.fit(X, masks).predict(X), expected, err_msg=name)


def test_memory_knows_images_of_a_dataset_again(tmp_path):
    classifier = SegmentationClassifier(
        segmenter=SupervisedSegmenter(**QUICK), memory=str(tmp_path), random_state=0
    )
    first = classifier.fit(Pictures(), SHAPES.target, masks=SHAPES.masks)
    again = clone(classifier).fit(Pictures(), SHAPES.target, masks=SHAPES.masks)
    np.testing.assert_array_equal(again.predict(Pictures()), first.predict(Pictures()))


def test_folds_of_a_dataset_make_no_item():
    pictures = Pictures()
    rows = check_rows(ImageClassifier(), pictures, reset=True)
    part = _safe_indexing(rows, np.arange(3, 6))
    assert (len(rows), len(part), pictures.asked) == (12, 3, 0)
    np.testing.assert_array_equal(part[1][0], SHAPES.images[4])


ONE_IMAGE = {
    "array": (lambda: SHAPES.images[0], "expected 3.*X\\[None\\]"),
    "large array": (lambda: np.zeros((40, 50, 3), np.uint8), "one image.*X\\[None\\]"),
    "tensor": (lambda: torch.zeros(3, 16, 16), "expected 3.*X\\[None\\]"),
    "gray": (lambda: SHAPES.images[0, ..., 0], "rows, but .* fitted on images.*X\\[None\\]"),
    "nested list": (lambda: SHAPES.images[0, ..., 0].tolist(), "rows, but .*X\\[None\\]"),
    "PIL image": (lambda: Image.fromarray(SHAPES.images[0]), "pass \\[X\\]"),
    "path": (lambda: "image.png", "pass \\[X\\]"),
    "nothing": (lambda: None, "NoneType. Expected arrays"),
    "empty list": (list, "X is empty. Expected arrays"),
    "empty array": (lambda: SHAPES.images[:0], "X is empty, of shape"),
    "generator": (lambda: iter(SHAPES.images), "pass list\\(X\\)"),
}


@pytest.mark.parametrize("kind", ONE_IMAGE)
def test_one_image_is_never_rows_of_it(fitted, kind):
    make, message = ONE_IMAGE[kind]
    segmenter = SupervisedSegmenter(**QUICK)
    composed = SegmentationClassifier(segmenter=segmenter, random_state=0)
    composed.fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    for estimator in (fitted, composed, composed.segmenter_):
        with pytest.raises(ValueError, match=message):
            estimator.predict(make())
    with pytest.raises(ValueError):  # noqa: PT011
        clone(fitted).fit(make(), SHAPES.target)


def test_rows_have_no_scale_and_are_forgotten():
    rows = SHAPES.images.reshape(12, -1)
    classifier = ImageClassifier(**QUICK, image_shape=(16, 16, 3)).fit(rows, SHAPES.target)
    assert classifier.image_scale_ is None
    assert classifier.predict(rows * 1e6).shape == (12,)
    classifier.fit(SHAPES.images, SHAPES.target)
    assert not hasattr(classifier, "n_features_in_")


def test_channels_are_the_estimators():
    X = np.repeat(SHAPES.images, 2, axis=3)[..., :5].transpose(0, 3, 1, 2)
    pretrainer = SimSiamPretrainer(**QUICK)
    segmenter = SupervisedSegmenter(**QUICK, channels="first", pretrainer=pretrainer)
    composed = SegmentationClassifier(segmenter=clone(segmenter), random_state=0)
    given = composed.fit(X, SHAPES.target, masks=SHAPES.masks).predict_proba(X)
    assert composed.segmenter_.n_channels_ == 5
    composed.set_params(segmenter__channels=None)
    last = X.transpose(0, 2, 3, 1)
    composed.fit(last, SHAPES.target, masks=SHAPES.masks)
    np.testing.assert_array_equal(composed.predict_proba(last), given)
    with pytest.raises(ValueError, match="channels='first'"):
        composed.fit(X, SHAPES.target, masks=SHAPES.masks)
    learner = PseudoLabelSemiSupervised(segmenter, labeler="self_training", baseline=False)
    assert learner.fit(X, [*SHAPES.masks[:6], *[None] * 6]).n_channels_ == 5
    with pytest.raises(ValueError, match=r"'channels' parameter .* Got 'middle'"):
        ImageClassifier(channels="middle").fit(SHAPES.images, SHAPES.target)


def test_gray_folds_among_rgb(tmp_path):
    paths = []
    for number, image in enumerate(SHAPES.images):
        picture = Image.fromarray(image).convert("L" if number < 6 else "RGB")
        picture.save(tmp_path / f"{number:02}.png")
        paths.append(str(tmp_path / f"{number:02}.png"))
    assert ImageClassifier(**QUICK).fit(paths, SHAPES.target).n_channels_ == 3
    colored = ImageClassifier(**QUICK).fit(paths[6:], SHAPES.target[6:])
    assert colored.predict(paths).shape == (12,)
    gray = ImageClassifier(**QUICK).fit(paths[:6], SHAPES.target[:6])
    with pytest.raises(
        ValueError, match=r"Image 6 \('.*06.png'\) has 3 channels, but 1 are expected"
    ):
        gray.predict(paths)


SCALES = {"float32": FLOATS, "int64": SHAPES.images.astype(int), "uint16": FLOATS.astype("u2")}


@pytest.mark.parametrize("dtype", SCALES)
def test_another_scale_is_refused_wherever_images_go_in(fitted, dtype):
    pretrainer = SimSiamPretrainer(**QUICK).fit(SHAPES.images)
    composed = SegmentationClassifier(segmenter=SupervisedSegmenter(**QUICK), random_state=0)
    composed.fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    X = SCALES[dtype]
    message = f"holds {dtype} from [0-9]+ to 255.*fit saw uint8, read as 0 to 1. Pass X.astype"
    for call in (
        lambda: fitted.predict(X),
        lambda: fitted.score(X, SHAPES.target),
        lambda: pretrainer.transform(X),
        lambda: composed.predict(X),
        lambda: composed.predict_masks(X[3:]),
        lambda: composed.segmenter_.score(X, SHAPES.masks),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_the_scale_travels_with_the_estimator(fitted, tmp_path):
    assert fitted.image_scale_ == {"dtype": "uint8", "low": 0, "high": 255, "typical": 255}
    segclf.save(fitted, tmp_path / "classifier")
    for copy in (segclf.load(tmp_path / "classifier"), pickle.loads(pickle.dumps(fitted))):
        assert copy.image_scale_ == fitted.image_scale_
        np.testing.assert_array_equal(copy.predict(FLOATS / 255), fitted.predict(SHAPES.images))
        with pytest.raises(ValueError, match="fit saw uint8"):
            copy.predict(FLOATS)


def test_no_data_is_refused_where_images_go_in():
    X = FLOATS / 255
    bad = X.copy()
    bad[1, 0, 0, 0] = np.finfo(np.float32).min
    classifier = ImageClassifier(**QUICK).fit(X, SHAPES.target)
    for call in (classifier.predict, lambda X: clone(classifier).fit(X, SHAPES.target)):
        with pytest.raises(ValueError, match=r"Image 1 contains -3\.403e\+38"):
            call(bad)
