import numpy as np
import pytest
from PIL import Image

from segclf import ImageClassifier
from segclf.cache import digest
from segclf.data import as_images, load_image, load_mask, save_image, slice_paths, watched_files
from segclf.data.channel_files import channel_files, join_channel_files
from segclf.hookspecs import ImageData

RNG = np.random.default_rng(0)


def _pictures(folder, n_channels=2, size=(16, 18)):
    channels = RNG.integers(0, 255, (n_channels, *size), dtype=np.uint8)
    for number, channel in enumerate(channels):
        Image.fromarray(channel).save(folder / f"a_{number:04}.png")
    return str(folder / "a_{0000,0001}.png"), np.moveaxis(channels, 0, -1)


def test_files_are_the_channels_of_one_image(tmp_path):
    path, expected = _pictures(tmp_path)
    np.testing.assert_array_equal(load_image(path).array, expected)
    images = as_images([path, path])
    assert (images.n_channels, images.sizes().tolist()) == (2, [[16, 18]] * 2)
    np.testing.assert_array_equal(images[1], expected)


def test_it_is_a_path_as_any_other(tmp_path):
    path, image = _pictures(tmp_path)
    tiny = ImageClassifier(encoder="tiny", max_epochs=1, random_state=0)
    tiny.fit(np.array([path] * 4), [0, 1, 0, 1])
    expected = tiny.predict_proba(np.stack([image] * 2))
    np.testing.assert_array_equal(tiny.predict_proba([path] * 2), expected)


def test_volumes_and_their_slices(tmp_path):
    channels = RNG.integers(0, 99, (3, 4, 5, 6)).astype(np.int16)
    affine = np.diag([3.0, 0.5, 0.75, 1])[[2, 1, 0, 3]]
    for number, channel in enumerate(channels):
        image = ImageData(channel[..., None], "dhwc", None, affine)
        save_image(tmp_path / f"a_{number:04}.nii.gz", image)
    path, expected = str(tmp_path / "a_{0000,0001,0002}.nii.gz"), np.moveaxis(channels, 0, -1)
    read = load_image(path)
    np.testing.assert_array_equal(read.array, expected)
    np.testing.assert_allclose(read.affine, affine)
    np.testing.assert_array_equal(as_images([path], n_spatial=3)[0], expected)
    assert slice_paths(path)[3] == f"{path}[z=3]"
    np.testing.assert_array_equal(load_image(f"{path}[z=3]").array, expected[3])


def test_each_file_is_watched_and_counts_in_digests(tmp_path):
    path, _ = _pictures(tmp_path)
    with watched_files():
        images, before = as_images([path]), digest(path)
        Image.new("L", (18, 16)).save(tmp_path / "a_0001.png")
        with pytest.raises(ValueError, match="changed after it was first read"):
            images[0]
    assert digest(path) != before


def test_what_does_not_fit_together(tmp_path):
    path, _ = _pictures(tmp_path)
    Image.new("L", (18, 17)).save(tmp_path / "a_0001.png")
    with pytest.raises(ValueError, match=r"a_\{0000,0001\}.*a_0001.png' has 17 x 18.*16 x 18"):
        load_image(path)
    with pytest.raises(ValueError, match="a mask is one file"):
        load_mask(path)
    with pytest.raises(ValueError, match=r"Image 0: there is no file '.*0007"):
        as_images([path.replace("0001", "0007")])
    volume = ImageData(np.zeros((2, 3, 4, 1), np.uint8), "dhwc")
    save_image(tmp_path / "b_0.nii", volume)
    save_image(tmp_path / "b_1.nii", volume._replace(spacing=(1.0, 1.5, 1.0)))
    with pytest.raises(ValueError, match=r"are .* mm apart: '.*b_1\.nii'"):
        load_image(str(tmp_path / "b_{0,1}.nii"))


def test_names(tmp_path):
    assert channel_files("a.png") is None
    assert channel_files("a_{0000}.png") is None
    for paths, name in [
        (["a_0000.png"], "a_0000.png"),
        (["x/a_0000.png", "x/a_0001.png"], "x/a_{0000,0001}.png"),
        (["t1/a.nii.gz", "t2/a.nii.gz"], "{t1,t2}/a.nii.gz"),
        (["x/a.png", "x/a_1.png"], "x/{a,a_1}.png"),
        (["a", "b"], "{a,b}"),
    ]:
        assert join_channel_files(paths) == name
        assert channel_files(name) == (paths if len(paths) > 1 else None)
    for paths in (["a{_0.png", "a{_1.png"], ["a.png", "b,c.png", "d.png"], ["a.png", "a.png"]):
        with pytest.raises(ValueError, match="cannot be the channels of one image"):
            join_channel_files(paths)
    real = tmp_path / "{a,b}.png"
    Image.new("L", (4, 4)).save(real)
    assert channel_files(str(real)) is None
    assert load_image(real).array.shape == (4, 4, 1)
