import warnings

import numpy as np
import pytest

from segclf.base.classifier import check_labels
from segclf.base.conflicts import ContradictionWarning, check_agreement
from segclf.data import as_masks

EMPTY, ANNOTATED = np.zeros((4, 4), dtype=int), np.eye(4, dtype=int)


def check(y, masks, negative_class):
    check_agreement(check_labels(y, len(y)), as_masks(masks, len(y)), negative_class)


@pytest.mark.parametrize(
    ("y", "masks", "negative"),
    [
        ([0, 1, 1, -1], [EMPTY, ANNOTATED, None, ANNOTATED], 0),
        (
            ["benign", "malignant", "normal"],
            [ANNOTATED, ANNOTATED + 2 * ANNOTATED[::-1], EMPTY],
            "normal",
        ),
        ([0, 1], [3 * ANNOTATED, ANNOTATED + 2 * ANNOTATED[::-1]], 0),  # ids from 2 on are context
        ([0, 1], [ANNOTATED, 2 * ANNOTATED], None),
        ([0, 1], [EMPTY - ANNOTATED, EMPTY - ANNOTATED], 0),  # open
        ([[1, 0], [0, 1]], [np.stack([ANNOTATED, EMPTY]), np.stack([EMPTY, ANNOTATED])], None),
    ],
)
def test_what_agrees(y, masks, negative):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(y, masks, negative)


def test_most_of_a_class_is_an_error_that_names_images_and_ways_out():
    y, masks = ["fracture", "normal"] * 12, [ANNOTATED, EMPTY] * 12
    message = (
        r"contradict each other in 12 of the 12 images of class 'fracture' .*"
        r"\(0, 2, 4, .*, \.\.\.\).*masks show nothing; these show \[1\].*"
        r"\{'fracture': 0, 'normal': 1\}; 0 .*Set negative_class.*map_masks.*in the order"
    )
    with pytest.raises(ValueError, match=message):
        check(y, masks, "fracture")
    check(y, masks, "normal")


def test_one_id_for_two_classes_is_an_error():
    y = ["benign", "malignant", "normal", "malignant"]
    with pytest.raises(ValueError, match=r"class 'malignant'.*masks show id 2; these show \[1\]"):
        check(y, [ANNOTATED, ANNOTATED, EMPTY, ANNOTATED], "normal")


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_masks_of_other_images_are_an_error(seed, share):
    random = np.random.default_rng(seed)
    y = (np.arange(40) < share * 40).astype(int)
    masks = [ANNOTATED if y[i] else EMPTY for i in random.permutation(40)]
    with pytest.raises(ValueError, match="Are masks in the order of images and labels"):
        check(y, masks, 0)


def test_a_few_are_a_warning_that_lists_them():
    y, masks = [0, 1] * 5, [EMPTY, ANNOTATED] * 5
    masks[2], masks[5] = ANNOTATED, EMPTY
    with pytest.warns(ContradictionWarning) as caught:
        check(y, masks, 0)
    (warning,) = caught
    assert "in 2 of 10 images: 2 (of class 0, but its mask shows something), 5 (of" in str(
        warning.message
    )


def test_one_image_is_a_slip():
    with pytest.warns(ContradictionWarning, match="in 1 of 2 images"):
        check([0, 1], [EMPTY, EMPTY], 0)


def test_channels():
    right = np.stack([ANNOTATED, EMPTY])
    with pytest.raises(ValueError, match=r"4 of the 4 images of label 0 for class 1.*indicator"):
        check([[1, 0]] * 4, [np.stack([ANNOTATED, ANNOTATED])] * 4, None)
    with pytest.warns(ContradictionWarning, match=r"in 1 of 8 .*label 1 for class 0.*nothing"):
        check([[1, 0]] * 4, [right, right, right, np.stack([EMPTY, EMPTY])], None)
