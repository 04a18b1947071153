import numpy as np
import pytest
from segclf_plugins.pseudo_labelers.maps_to_masks import mask_from_maps, refined, sure_mask

MAPS = np.array([[[0.0, 0.2, 0.4, 0.9]]])


def test_masks_of_which_the_two_thresholds_are_sure():
    present = np.array([0, 1])
    masks = [
        mask_from_maps(MAPS, threshold, present, multilabel=False) for threshold in (0.3, 0.05)
    ]
    assert sure_mask(*masks).tolist() == [[0, -1, 2, 2]]
    masks = [mask_from_maps(MAPS, threshold, present, multilabel=True) for threshold in (0.3, 0.05)]
    assert sure_mask(*masks).tolist() == [[[0, 0, 0, 0]], [[0, -1, 1, 1]]]


@pytest.mark.parametrize("multilabel", [False, True])
def test_a_class_of_which_there_is_nothing_is_left_open(multilabel):
    present = np.array([1, 0])
    masks = mask_from_maps(np.zeros((1, 2, 2)), 0.25, present, multilabel=multilabel)
    assert (masks[0] == -1).all()
    assert (sure_mask(masks, masks)[0] == -1).all()
    assert not multilabel or (masks[1] == 0).all()


def test_a_channel_of_which_nobody_spoke_is_left_open():
    masks = mask_from_maps(MAPS, 0.25, np.array([-1, 1]), multilabel=True)
    assert masks.tolist() == [[[-1, -1, -1, -1]], [[0, 0, 1, 1]]]


def test_refinement_sees_the_image_and_how_sure_the_mask_is():
    seen = []

    def refine(image, probabilities):
        seen.append((image.shape, probabilities))
        return probabilities[::-1]

    image, present = np.zeros((2, 8, 3)), np.array([0, 1, 1])
    mask = refined(np.array([[0, 0, 2, 3]]), image, present, refine)
    assert mask.shape == (2, 8)
    assert mask[0].tolist() == [3, 3, 3, 3, 2, 2, 0, 0]
    shape, probabilities = seen[0]
    assert shape == image.shape
    np.testing.assert_allclose(probabilities[:, 0, 0], [0.7, 0.15, 0.15], rtol=1e-6)
    np.testing.assert_allclose(probabilities.sum(0), 1, rtol=1e-6)


def test_channels_are_refined_by_themselves_and_open_ones_not():
    mask = np.array([[[0, 1]], [[-1, -1]]])
    swapped = refined(mask, np.zeros((1, 2, 3)), np.array([1, 1]), lambda image, p: p[::-1])
    assert swapped.tolist() == [[[1, 0]], [[-1, -1]]]
