import json

import pytest
import torch

from segclf.networks import PairNetwork, build, classification_network


def pair(in_channels=3):
    return PairNetwork(
        *(
            classification_network(encoder=encoder, in_channels=in_channels, n_classes=0)
            for encoder in ("tiny", "tiny_vit")
        )
    ).eval()


@pytest.mark.parametrize("size", [(1, 2), (5, 7), (32, 32), (37, 50)])
def test_each_pads_for_itself(size):
    both, image = pair(in_channels=2), torch.rand(3, 2, *size)
    embedding = both.embed(image)
    assert embedding.shape == (3, both.n_features) == (3, 64 + 32)
    assert torch.equal(embedding[:, :64], both.cnn(image))
    assert torch.equal(embedding[:, 64:], both.transformer(image))
    assert torch.equal(both(image), embedding)


def test_built_again_by_way_of_json():
    both, image = pair(), torch.rand(2, 3, 16, 16)
    again = build(json.loads(json.dumps(both.recipe))).eval()
    again.load_state_dict(both.state_dict())
    assert again.recipe == both.recipe
    assert torch.equal(again.embed(image), both.embed(image))
