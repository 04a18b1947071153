import numpy as np
import torch

from segclf.networks import RowAutoencoder


def test_layers_of_the_paper_s_images():
    """480 columns: 15,360, 256, 128, 64, 32, 16, and back."""
    with torch.device("meta"):
        layers = RowAutoencoder(480).layers
    widths = [480, 15360, 256, 128, 64, 32, 16, 32, 64, 128, 256, 15360, 480]
    assert [each.in_features for each in layers] + [layers[-1].out_features] == widths


def test_forward_by_hand():
    torch.manual_seed(0)
    for rectified in (True, False):
        autoencoder = RowAutoencoder(4, rectified=rectified)
        for parameter in autoencoder.parameters():
            parameter.data.normal_(std=0.5)
        scores = torch.randn(2, 3, 5, 4)
        rows = scores.double().numpy()
        for number, layer in enumerate(autoencoder.layers):
            weight, bias = (each.detach().double().numpy() for each in layer.parameters())
            rows = np.einsum("nkhi,oi->nkho", rows, weight) + bias
            if number < 11 or rectified:
                rows = np.maximum(rows, 0)
        given = autoencoder(scores).detach().numpy()
        np.testing.assert_allclose(given, rows, rtol=1e-3, atol=1e-3 * np.abs(rows).max())


def test_other_widths_are_interpolated():
    assert RowAutoencoder(4)(torch.zeros(1, 2, 3, 9)).shape == (1, 2, 3, 9)
