import pickle

import numpy as np
import torch
from segclf_plugins.pseudo_labelers.inter_pixel import (
    affinity_loss,
    displacement_loss,
    half_disc,
    path_affinity,
    pixel_pairs,
)
from segclf_plugins.pseudo_labelers.irnet_boundaries import InterPixelRelations, IRNetBoundaries

from segclf.networks import irnet
from segclf.objectives import Progress

START = Progress(0, 0, 0.0)


def make_squares(n=6, size=24):
    """Images with a bright square each, and masks."""
    generator = np.random.default_rng(0)
    images = generator.random((n, size, size, 3), dtype=np.float32)
    masks = np.zeros((n, size, size), dtype=np.int64)
    for image, mask in zip(images, masks, strict=True):
        top, left = generator.integers(4, size - 12, 2)
        mask[top : top + 8, left : left + 8] = 1
        image[mask == 1] += 2
    return images, masks


def make_boundaries(**settings):
    small = {"encoder": "tiny", "max_epochs": 2, "radius": 4, "stride": 2, "random_state": 0}
    return IRNetBoundaries(**{**small, **settings})


def edges_of(boundaries, images):
    return np.stack([edge for _, edge in boundaries.predict_maps(images)])


def test_boundaries_part_classes():
    images, masks = make_squares()
    boundaries = make_boundaries(max_epochs=60).fit(images, masks)
    edges, offsets = torch.from_numpy(edges_of(boundaries, images)), half_disc(3)
    pairs = pixel_pairs(torch.from_numpy(masks[:, 1::2, 1::2]), offsets)
    affinity = path_affinity(edges, offsets)
    different = affinity[pairs.different].mean()
    assert affinity[pairs.foreground].mean() > 2 * different
    assert affinity[pairs.background].mean() > 1.2 * different


def test_terms_are_those_of_the_losses():
    images, masks = make_squares(2)
    masks[0, :5] = -1
    network = irnet(encoder="tiny", stride=4)
    objective = InterPixelRelations(network, radius=4, displacement_weight=0.5)
    image = torch.from_numpy(images).movedim(-1, 1)
    batch = {"image": image, "mask": torch.from_numpy(masks)}
    terms = objective(batch, START)
    (edge, displacement), offsets = network(image), half_disc(4)
    pairs = pixel_pairs(batch["mask"][:, 2::4, 2::4], offsets)
    affinity = path_affinity(edge.sigmoid(), offsets)
    torch.testing.assert_close(terms["affinity"], affinity_loss(affinity, pairs))
    expected = 0.5 * displacement_loss(displacement, pairs, offsets)
    torch.testing.assert_close(terms["displacement"], expected)


def test_channels_weigh_alike():
    images, masks = make_squares(2)
    network = irnet(encoder="tiny", stride=2)
    objective = InterPixelRelations(network, radius=3, displacement_weight=1.0)
    image = torch.from_numpy(images).movedim(-1, 1)
    channels = torch.from_numpy(np.stack([masks, 1 - masks, masks.transpose(0, 2, 1)], axis=1))
    together = objective({"image": image, "mask": channels}, START)
    alone = [objective({"image": image, "mask": each}, START) for each in channels.unbind(1)]
    for name, term in together.items():
        torch.testing.assert_close(term, sum(each[name] for each in alone) / 3)


def test_displacements_change_no_boundary():
    images, masks = make_squares()
    without, with_them = (
        make_boundaries(displacement_weight=weight, precision="fp32").fit(images, masks)
        for weight in (0.0, 1.0)
    )
    np.testing.assert_array_equal(edges_of(without, images), edges_of(with_them, images))
    assert "displacement" not in without.history_
    displacement = with_them.history_["displacement"]
    assert displacement[-1] < displacement[0]


def test_a_frozen_encoder_stays_as_it_is():
    images, masks = make_squares()
    few, many = (make_boundaries(max_epochs=n).fit(images, masks).network_ for n in (1, 3))
    assert not torch.equal(few.edge.head.weight, many.edge.head.weight)
    other = many.encoder.state_dict()
    assert all(torch.equal(value, other[n]) for n, value in few.encoder.state_dict().items())


def test_displacements_learn_ten_times_as_fast():
    objective = InterPixelRelations(irnet(encoder="tiny"), radius=3, displacement_weight=1.0)
    rates = {id(p): g["rate"] for g in objective.parameter_groups() for p in g["params"]}
    assert {rates[id(p)] for p in objective.network.displacement.parameters()} == {10.0}
    assert {rates[id(p)] for p in objective.network.edge.parameters()} == {1.0}
    objective.network.set_encoder_rate(0)
    assert [group["rate"] for group in objective.parameter_groups()] == [1.0, 10.0]


def test_it_travels():
    images, masks = make_squares()
    boundaries = make_boundaries().fit(images, masks)
    again = pickle.loads(pickle.dumps(boundaries))
    np.testing.assert_array_equal(edges_of(again, images), edges_of(boundaries, images))


def test_masks_may_be_smaller_than_images_and_missing():
    images, masks = make_squares()
    small = [None, *(mask[::2, ::2] for mask in masks[1:])]
    boundaries = make_boundaries().fit(images, small)
    assert edges_of(boundaries, images).shape == (6, 12, 12)
