import itertools

import numpy as np
import pytest
import torch
from monai.inferers import sliding_window_inference
from torch import nn

from segclf.data import as_images
from segclf.data.resize import resize_maps
from segclf.training import PredictionPlan, predict_batches
from segclf.training.windows import slide

VOLUME = np.random.default_rng(0).normal(size=(1, 28, 40, 16)).astype(np.float32)
NETWORK = nn.Conv3d(1, 2, 3, padding=1).eval()


def predicted(network, volumes, tile_size=(16, 16, 16), **options):
    images = as_images(volumes, n_spatial=3)
    plan = PredictionPlan(batch_size=3, tile_size=tile_size)
    return {
        int(index): maps
        for indices, output in predict_batches(network, images, plan, **options)
        for index, maps in zip(indices, output, strict=True)
    }


def test_windows_are_blended_as_by_monai():
    ours = predicted(NETWORK, VOLUME)[0]
    with torch.inference_mode():
        theirs = sliding_window_inference(
            torch.from_numpy(VOLUME)[:, None],
            (16, 16, 16),
            1,
            NETWORK,
            overlap=0.25,
            mode="gaussian",
            sigma_scale=0.125,
        )
    torch.testing.assert_close(ours, theirs[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tile_size", [8, (16, 8, 5), (28, 40, 7), (3, 100, 16)])
def test_what_depends_on_a_voxel_alone_is_the_same_in_windows(tile_size):
    ours = predicted(nn.Identity(), VOLUME, tile_size)[0]
    np.testing.assert_allclose(ours[0], VOLUME[0], atol=1e-5)


def test_small_volumes_are_predicted_whole_and_in_one_order():
    volumes = [VOLUME[0], VOLUME[0, :5, :6, :7], VOLUME[0, ::-1]]
    maps = predicted(nn.Identity(), volumes)
    for index, volume in enumerate(volumes):
        np.testing.assert_allclose(maps[index][0], volume, atol=1e-5)


def test_masks_are_made_slab_by_slab():
    depths = []

    def reduce(maps):
        depths.append(maps.shape[2])
        return maps.argmax(1).to(torch.uint8)

    masks = predicted(NETWORK, VOLUME, reduce=reduce)[0]
    assert torch.equal(masks, predicted(NETWORK, VOLUME)[0].argmax(0).to(torch.uint8))
    assert max(depths) <= 16
    assert sum(depths) == 28


def test_predictions_on_another_grid_come_back_to_their_own():
    grid = np.array([[14, 20, 32]])
    ours = predicted(NETWORK, VOLUME, (16, 32, 32), grid=grid)[0]
    assert ours.shape == (2, 28, 40, 16)
    small = resize_maps(torch.from_numpy(VOLUME)[:, None], (14, 20, 32))
    with torch.inference_mode():
        expected = resize_maps(NETWORK(small), (28, 40, 16))[0]
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)
    windows = predicted(nn.Identity(), VOLUME, (8, 8, 8), grid=grid)[0]
    torch.testing.assert_close(windows[0], resize_maps(small, (28, 40, 16))[0, 0])


def test_windows_are_read_when_they_are_needed_and_only_a_slab_is_kept():
    done, read = [], []

    def windows(corners):
        read.extend(corners)
        return torch.ones(len(corners), 1, 4, 4)

    for slab in slide(windows, lambda x: x, (40, 4), (4, 4), 1):
        done.append((slab.start, slab.stop))
        assert slab.maps.shape[1] <= 4
        assert max(row for row, _ in read) <= slab.stop + 8
    assert done[0][0] == 0
    assert done[-1][1] == 40
    assert all(one[1] == next_[0] for one, next_ in itertools.pairwise(done))


def test_a_window_that_is_not_finite_names_the_volume():
    class Broken(nn.Module):
        def forward(self, volumes):
            return volumes / (volumes < 100)

    broken = VOLUME[0].copy()
    broken[-1, -1, -1] = 1000
    with pytest.raises(FloatingPointError, match="infinite for image 1"):
        predicted(Broken(), [VOLUME[0], broken], (8, 8, 8))
