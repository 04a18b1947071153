import numpy as np
import pytest
import torch

from segclf.data import CopyPaste


def batch(n_positive=3, n_healthy=3, size=12, **more):
    """Images whose values name them and each pixel's place; findings of several sizes and ids."""
    n_images = n_positive + n_healthy
    places = torch.arange(float(size * size)).reshape(1, 1, size, size) / size**2
    image = torch.arange(float(n_images))[:, None, None, None] + places
    mask = torch.zeros(n_images, size, size, dtype=torch.int64)
    for row in range(n_positive):
        mask[row, row + 1 : 2 * row + 3, 2 : 5 + row] = 1 + row % 2
    return {"image": image.repeat(1, 2, 1, 1), "mask": mask, **more}


def paste(given, probability=1.0, seed=0):
    return CopyPaste(probability=probability)(given, torch.Generator().manual_seed(seed))


def source_of(pasted, given, row):
    """The image that a row's patch is of, where the patch is, and that every other pixel stayed."""
    changed = (pasted["image"][row] != given["image"][row]).any(0)
    if not changed.any():
        assert torch.equal(pasted["mask"][row], given["mask"][row])
        return None, changed
    (source,) = set(pasted["image"][row, 0][changed].floor().long().tolist())
    return source, changed


def test_pasted_pixels_are_the_sources_and_others_stay():
    given, n_patches = batch(), 0
    shapes = given["mask"] > 0
    for seed in range(30):
        pasted = paste(given, seed=seed)
        for row in range(6):
            source, changed = source_of(pasted, given, row)
            if source is None:
                continue
            n_patches += 1
            assert source != row
            assert torch.equal(pasted["image"][row][:, changed], given["image"][source][:, changed])
            assert torch.equal(pasted["mask"][row][changed], given["mask"][source][changed])
            assert torch.equal(pasted["mask"][row][~changed], given["mask"][row][~changed])
            (shape,) = [s for s in range(6) if torch.equal(shapes[s], changed)]
            assert shape != row
            assert source == shape or not given["mask"][source][changed].any()
    assert n_patches == 30 * 6


def test_given_tensors_stay_as_they_are():
    given = batch()
    before = {name: values.clone() for name, values in given.items()}
    paste(given)
    for name, values in given.items():
        assert torch.equal(values, before[name])


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_findings_and_healthy_patches_are_as_frequent_in_all_images(probability):
    given = batch()
    counts = np.zeros((6, 2))
    for seed in range(150):
        pasted = paste(given, probability, seed)
        for row in range(6):
            source, changed = source_of(pasted, given, row)
            if source is not None:
                finding = bool(given["mask"][source][changed].any())
                counts[row, int(finding)] += 1
    np.testing.assert_allclose(counts / 150, probability / 2, atol=0.13)
    np.testing.assert_allclose(counts.mean(0) / 150, probability / 2, atol=0.03)


def test_a_shape_that_no_healthy_image_fills_is_not_pasted():
    """Two images: what would be healthy there is the receiver itself."""
    given = batch(n_positive=1, n_healthy=1)
    pasted = paste(given)
    assert torch.equal(pasted["image"], given["image"])
    unknown = batch(n_positive=1, n_healthy=2)
    unknown["mask"][2, 1, 2] = -1
    pasted = paste(unknown)
    assert torch.equal(pasted["image"][:2], unknown["image"][:2])
    assert not torch.equal(
        pasted["image"][2], unknown["image"][2]
    )  # by the one image that is healthy


def test_without_findings_or_masks_nothing_is_pasted():
    given = batch(n_positive=0)
    assert torch.equal(paste(given)["image"], given["image"])
    del given["mask"]
    assert torch.equal(paste(given)["image"], given["image"])


def test_unlabeled_images_receive_none_and_give_none():
    given = batch()
    given["mask"][5] = -1
    for seed in range(50):
        pasted = paste(given, seed=seed)
        assert torch.equal(pasted["image"][5], given["image"][5])
        assert (pasted["mask"][5] == -1).all()
        assert all(source_of(pasted, given, row)[0] != 5 for row in range(5))


def test_images_that_weigh_nothing_give_none():
    given = batch(weight=torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0, 1.0]))
    shapes = given["mask"] > 0
    for seed in range(50):
        pasted = paste(given, seed=seed)
        for row in range(6):
            source, changed = source_of(pasted, given, row)
            assert source not in (1, 4)
            assert not torch.equal(changed, shapes[1])


def test_channels_go_together():
    given = batch()
    channels = torch.stack([given["mask"] == 1, given["mask"] == 2], dim=1).long()
    ids, stacked = paste(given), paste({**given, "mask": channels})
    assert torch.equal(ids["image"], stacked["image"])
    expected = torch.stack([ids["mask"] == 1, ids["mask"] == 2], dim=1).long()
    assert torch.equal(stacked["mask"], expected)


def test_labels_that_a_patch_may_belie_are_open():
    given = batch(label=torch.tensor([-1, -1, -1, 0, 0, 0]))
    indicator = torch.tensor([[-1, -1]] * 3 + [[0, 0]] * 2 + [[0, 1]])
    several = {**given, "label": indicator}
    n_open = 0
    for seed in range(30):
        one, other = paste(given, 0.7, seed), paste(several, 0.7, seed)
        for row in (3, 4, 5):
            source, changed = source_of(one, given, row)
            finding = source is not None and bool(given["mask"][source][changed].any())
            n_open += finding
            assert one["label"][row] == (-1 if finding else 0)
            kept = indicator[row].tolist() if source is None else [0, 0 if row < 5 else -1]
            assert other["label"][row].tolist() == ([-1, -1] if finding else kept)
    assert n_open > 10


def test_same_generator_same_patches():
    given = batch()
    first, second, other = (paste(given, 0.5, seed) for seed in (0, 0, 1))
    assert torch.equal(first["image"], second["image"])
    assert torch.equal(first["mask"], second["mask"])
    assert not torch.equal(first["image"], other["image"])


def test_memory_format_stays():
    given = batch()
    given["image"] = given["image"].contiguous(memory_format=torch.channels_last)
    assert paste(given)["image"].is_contiguous(memory_format=torch.channels_last)
