import json

import pytest
import torch

from segclf.networks import (
    PairNetwork,
    SegmentationPair,
    build,
    classification_network,
    segmentation_network,
)


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


def segmentation_pair(multilabel, n_classes=3):
    parts = (("unet", "tiny"), ("vit_unet", "tiny_vit"))
    networks = [
        segmentation_network(architecture=a, encoder=e, n_classes=n_classes) for a, e in parts
    ]
    return SegmentationPair(*networks, multilabel=multilabel).eval()


@pytest.mark.parametrize("size", [(1, 2), (5, 7), (37, 50)])
@pytest.mark.parametrize(("multilabel", "n_classes"), [(False, 3), (True, 3), (True, 1)])
def test_two_segmenters_answer_with_their_mean(size, multilabel, n_classes):
    both, image = segmentation_pair(multilabel, n_classes), torch.rand(2, 3, *size)

    def probability(logits):
        return logits.sigmoid() if multilabel else logits.softmax(1)

    mean = (probability(both.cnn(image)) + probability(both.transformer(image))) / 2
    torch.testing.assert_close(probability(both(image)), mean)
    assert both.embed(image).shape == (2, both.n_features)


@pytest.mark.parametrize("multilabel", [False, True])
def test_the_mean_of_scores_beyond_all_bounds_is_finite(multilabel):
    both, image = segmentation_pair(multilabel), torch.rand(1, 3, 8, 8)
    for network, factor in ((both.cnn, 1e6), (both.transformer, -1e6)):
        for parameter in network.head.parameters():
            parameter.data *= factor
    scores = both(image)
    assert torch.isfinite(scores).all()


@pytest.mark.parametrize("multilabel", [False, True])
def test_two_segmenters_built_again_by_way_of_json(multilabel):
    both, image = segmentation_pair(multilabel), torch.rand(2, 3, 16, 16)
    again = build(json.loads(json.dumps(both.recipe))).eval()
    again.load_state_dict(both.state_dict())
    assert again.recipe == both.recipe
    assert torch.equal(again(image), both(image))
