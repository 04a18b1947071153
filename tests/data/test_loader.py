import threading

import numpy as np
import pytest
import torch

from segclf.data import Augmentation, Loader, Samples, as_images, as_masks, views
from segclf.data import loader as loader_module
from segclf.data.loader import one_ahead


def samples(n=10, **changes):
    images = np.random.default_rng(0).integers(0, 255, (n, 6, 8, 3), dtype=np.uint8)
    masks = np.random.default_rng(1).integers(-1, 3, (n, 6, 8))
    return Samples(images=as_images(images), masks=as_masks(masks, n), dense=True, **changes)


def indices(loader, epoch):
    return [batch["index"].tolist() for batch in loader.epoch(epoch)]


def test_the_order_is_a_function_of_seed_and_epoch():
    first, again = (Loader(samples(), batch_size=4, seed=3) for _ in range(2))
    assert indices(first, 1) == indices(again, 1) == indices(first, 1)
    assert indices(first, 0) != indices(first, 1)
    assert indices(Loader(samples(), batch_size=4, seed=4), 1) != indices(first, 1)


@pytest.mark.parametrize("n", [1, 4, 5, 9, 10])
def test_an_epoch_holds_each_sample_once_in_even_batches(n):
    loader = Loader(samples(n), batch_size=4, seed=0)
    batches = indices(loader, 0)
    assert len(batches) == len(loader)
    assert sorted(i for batch in batches for i in batch) == list(range(n))
    assert max(map(len, batches)) <= 4
    assert max(map(len, batches)) - min(map(len, batches)) <= 1


def test_reading_once_or_each_time_is_the_same(monkeypatch):
    once = list(Loader(samples(), batch_size=4, seed=0).epoch(2))
    monkeypatch.setattr(loader_module, "PRELOADED_BYTES", 0)
    anew = list(Loader(samples(), batch_size=4, seed=0).epoch(2))
    for a, b in zip(once, anew, strict=True):
        assert a.keys() == b.keys()
        assert all(torch.equal(a[name], b[name]) for name in a)
        assert a["image"].is_contiguous(memory_format=torch.channels_last)
        assert b["image"].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("n_channels", [1, 3])
def test_each_batch_holds_the_rows_of_its_index(n_channels):
    images = np.random.default_rng(0).random((5, 6, 8, n_channels), dtype=np.float32)
    masks = np.random.default_rng(1).integers(-1, 2, (5, 2, 6, 8))
    several = Samples(
        images=as_images(images), masks=as_masks(masks, 5), n_mask_channels=2, dense=True
    )
    for batch in Loader(several, batch_size=2, seed=0).epoch(0):
        rows = batch["index"].numpy()
        assert np.array_equal(batch["image"].permute(0, 2, 3, 1), images[rows])
        assert np.array_equal(batch["mask"], masks[rows])


def jitter(image, mask, generator):
    return image + torch.rand(len(image), 1, 1, 1, generator=generator), mask


def test_augmentation_samples_from_seed_and_epoch():
    def pixels(seed, epoch):
        loader = Loader(samples(), batch_size=4, seed=seed, augmentation=jitter, shuffle=False)
        return torch.cat([batch["image"] for batch in loader.epoch(epoch)])

    assert torch.equal(pixels(0, 0), pixels(0, 0))
    assert not torch.equal(pixels(0, 0), pixels(0, 1))
    assert not torch.equal(pixels(0, 0), pixels(1, 0))


def test_one_ahead_keeps_the_order_and_works_in_the_background():
    seen = list(one_ahead(lambda i: (i, threading.current_thread().name), range(5)))
    assert [i for i, _ in seen] == list(range(5))
    assert all(name != threading.main_thread().name for _, name in seen)


def test_one_ahead_hands_errors_on():
    with pytest.raises(ZeroDivisionError):
        list(one_ahead(lambda i: 1 / i, [1, 0]))


def test_views_are_made_of_the_image_by_their_augmentation():
    def halves(image, mask, generator):
        assert mask is None
        return image[..., ::2].contiguous(), None

    def negative(image, mask, generator):
        return -image, None

    batch = next(Loader(samples(), batch_size=4, seed=0, views=[halves, negative]).epoch(0))
    plain = next(Loader(samples(), batch_size=4, seed=0).epoch(0))
    assert torch.equal(batch["image"], plain["image"])
    assert torch.equal(batch["view_0"], plain["image"][..., ::2])
    assert torch.equal(batch["view_1"], -plain["image"])
    assert set(batch) - set(plain) == {"view_0", "view_1"}
    assert all(v.is_contiguous(memory_format=torch.channels_last) for v in views(batch))


def sampled(name="view_1", *, seed=0, epoch=0, **changes):
    loader = Loader(samples(), batch_size=4, seed=seed, shuffle=False, **changes)
    return torch.cat([batch[name] - batch["image"] for batch in loader.epoch(epoch)])


def test_what_a_view_samples_depends_on_seed_epoch_and_its_place_alone():
    first = sampled(views=[jitter, jitter])
    assert torch.equal(first, sampled(views=[Augmentation(noise=1.0), jitter]))
    torch.testing.assert_close(first, sampled(views=[jitter, jitter], augmentation=jitter))
    assert not torch.equal(first, sampled("view_0", views=[jitter, jitter]))
    assert not torch.equal(first, sampled(views=[jitter, jitter], epoch=1))
    assert not torch.equal(first, sampled(views=[jitter, jitter], seed=1))


def test_patches_come_last_and_change_nothing_else():
    def paste(batch, generator):
        sampled.append(torch.rand(1, generator=generator).item())
        return {**batch, "image": batch["image"] + 1}

    sampled = []
    options = {"batch_size": 4, "seed": 0, "augmentation": jitter}
    plain = list(Loader(samples(), **options).epoch(1))
    pasted = list(Loader(samples(), **options, paste=paste).epoch(1))
    for one, other in zip(plain, pasted, strict=True):
        assert torch.equal(one["image"] + 1, other["image"])
    again = list(sampled)
    sampled.clear()
    list(Loader(samples(), **options, paste=paste).epoch(1))
    assert sampled == again
    assert len(set(sampled)) == len(sampled)
