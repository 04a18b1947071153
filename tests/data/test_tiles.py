import numpy as np
import pytest

from segclf import SupervisedSegmenter
from segclf.data import cut_tiles


def put_together(tiles, n_rows):
    """The slide that tiles were cut from, by rows of tiles."""
    rows = np.split(tiles, n_rows)
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)


def test_tiles_put_together_are_the_slide_and_its_border():
    image = np.random.default_rng(0).integers(1, 256, (70, 50, 3), dtype=np.uint8)
    mask = np.random.default_rng(1).integers(0, 3, (70, 50))
    tiles, masks, source = cut_tiles(image[None], mask[None], size=32)
    assert tiles.shape == (6, 32, 32, 3)
    assert tiles.dtype == np.uint8
    assert source.tolist() == [0] * 6
    whole, cut = put_together(tiles, 3), put_together(masks, 3)
    np.testing.assert_array_equal(whole[:70, :50], image)
    np.testing.assert_array_equal(cut[:70, :50], mask)
    assert (whole[70:] == 0).all()
    assert (whole[:, 50:] == 0).all()
    assert (cut[70:] == -1).all()
    assert (cut[:, 50:] == -1).all()


def test_slides_of_several_sizes_some_without_a_mask():
    slides = [np.zeros((10, 30, 1)), np.zeros((8, 8, 1)), np.zeros((16, 9, 1))]
    masks = [np.ones((10, 30), int), None, np.zeros((16, 9), int)]
    tiles, cut, source = cut_tiles(slides, masks, size=(8, 10))
    assert tiles.shape == (9 - 2 + 2, 8, 10, 1)
    assert source.tolist() == [0] * 6 + [1] + [2] * 2
    assert [mask is None for mask in cut] == [False] * 6 + [True] + [False] * 2
    assert cut[5].tolist() == [[1] * 10] * 2 + [[-1] * 10] * 6


def test_multilabel_masks():
    masks = np.zeros((1, 2, 5, 5), int)
    masks[0, 1] = 1
    tiles, cut, _ = cut_tiles(np.zeros((1, 5, 5)), masks, size=4)
    assert cut.shape == (4, 2, 4, 4)
    assert tiles.shape == (4, 4, 4, 1)
    assert cut[1, :, 0].tolist() == [[0, -1, -1, -1], [1, -1, -1, -1]]


def test_no_masks_at_all():
    assert cut_tiles(np.zeros((2, 4, 4)), size=4).masks is None


@pytest.mark.parametrize("size", [0, (4, 0), (1, 2, 3)])
def test_wrong_sizes_are_refused(size):
    with pytest.raises(ValueError, match="size="):
        cut_tiles(np.zeros((1, 4, 4)), size=size)


def test_masks_of_another_size_are_refused():
    with pytest.raises(ValueError, match="Mask 1 has 4 x 3 pixels"):
        cut_tiles(np.zeros((2, 4, 4)), [None, np.zeros((4, 3), int)], size=4)


def test_a_segmenter_trains_on_tiles_and_predicts_slides():
    slides = np.random.default_rng(0).integers(0, 255, (2, 40, 24, 3), dtype=np.uint8)
    tiles, masks, source = cut_tiles(slides, (slides[..., 0] > 99).astype(int), size=16)
    segmenter = SupervisedSegmenter(
        encoder="tiny", tile_size=16, validation_fraction=0.4, max_epochs=1
    )
    segmenter.fit(tiles, masks, groups=source)
    assert segmenter.predict(slides).shape == (2, 40, 24)
