import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone

import segclf
from segclf import ImageClassifier, SegmentationClassifier, SupervisedSegmenter, propose
from segclf.base import automatic
from segclf.networks import segmentation_network
from segclf.reports.proposal import trials

TINY = [("tiny", None)]
HOW_OFTEN = {"checkpoint_every", "segmenter__checkpoint_every"}  # decides no result


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(automatic, "usual_steps", lambda *of: 4)


@pytest.fixture(scope="module")
def colors():
    """Red squares are findings, green ones are not, and both are equally bright."""
    random = np.random.RandomState(0)
    images = random.uniform(0.4, 0.5, (24, 16, 16, 3)).astype(np.float32)
    labels, masks = np.arange(24) % 2, np.zeros((24, 16, 16), dtype=int)
    for image, label, mask in zip(images, labels, masks, strict=True):
        row, column = random.randint(2, 8, 2)
        square = np.s_[row : row + 6, column : column + 6]
        image[square] = [0, 0, 0]
        image[(*square, 1 - label)] = 1
        mask[square] = label
    return images, labels, masks


def weights(path, *, sees):
    """Write the weights of an encoder that sees colors, or nothing at all."""
    torch.manual_seed(0)
    state = segmentation_network(encoder="tiny").encoder.state_dict()
    if not sees:
        state = {name: torch.zeros_like(value) for name, value in state.items()}
    torch.save(state, path)
    return "tiny", str(path)


def because(proposal, parameter):
    (found,) = [each for each in proposal.reasons if each.parameter == parameter]
    return found.because


@pytest.mark.parametrize("with_masks", [True, False])
def test_encoder_that_sees_the_difference_wins(colors, tmp_path, with_masks):
    images, labels, masks = colors
    blind = weights(tmp_path / "blind.pth", sees=False)
    seeing = weights(tmp_path / "seeing.pth", sees=True)
    masks = masks if with_masks else None
    proposal = propose(images, labels, masks, encoders=[blind, seeing], cv=2, random_state=0)
    assert proposal.trials[0].auroc.mean() < 0.7 < 0.9 < proposal.trials[1].auroc.mean()
    network = proposal.estimator.segmenter if with_masks else proposal.estimator
    assert (network.encoder, network.encoder_weights, network.encoder_rate) == (*seeing, 0)
    assert because(proposal, "encoder").startswith("the highest AUROC of 2")


def test_tie_goes_to_the_cheaper(colors, few_steps):
    images, labels, _ = colors
    images = np.zeros_like(images)  # nothing to see for anybody
    encoders = [("test_resnet", None), *TINY]
    proposal = propose(images, labels, encoders=encoders, cv=2, random_state=0)
    assert [trial.encoder for trial in proposal.trials] == ["tiny", "test_resnet"]
    assert proposal.estimator.encoder == "tiny"


def test_every_parameter_is_explicit_and_what_auto_would_be(colors):
    images, labels, masks = colors
    proposal = propose(images, labels, masks, encoders=TINY, cv=2, random_state=3)
    params = proposal.estimator.get_params()
    assert {name for name, value in params.items() if str(value) == "auto"} <= HOW_OFTEN
    assert (params["negative_class"], params["random_state"]) == (0, 3)
    undecided = SupervisedSegmenter(encoder="tiny", encoder_weights=None)
    auto = SegmentationClassifier(segmenter=undecided).fit(images, labels, masks=masks)
    decided = {name: params[f"segmenter__{name}"] for name in auto.segmenter_.chosen_}
    assert decided == auto.segmenter_.chosen_
    fitted = clone(proposal.estimator).fit(images, labels, masks=masks)
    assert fitted.segmenter_.chosen_ == {}
    assert fitted.segmenter_.n_steps_ == 100


def test_same_seed_same_proposal(colors, few_steps):
    first, second = (
        propose(*colors, encoders=TINY, random_state=np.random.RandomState(1)) for _ in range(2)
    )
    assert str(first) == str(second)
    assert first.trials[0].auroc.tolist() == second.trials[0].auroc.tolist()
    assert repr(first.estimator) == repr(second.estimator)


def test_without_findings_labels_are_learned(colors, few_steps):
    images, labels, masks = colors
    empty = [mask if label == 0 else None for mask, label in zip(masks, labels, strict=True)]
    proposal = propose(images, labels, empty, encoders=TINY, random_state=0)
    assert type(proposal.estimator) is ImageClassifier
    assert proposal.estimator.random_state == 0
    assert np.isnan(proposal.trials[0].iou).all()
    assert "only labels" in because(proposal, "masks")
    assert proposal.estimator.fit(images, labels).chosen_ == {}


def test_paths_of_several_sizes_text_and_unlabeled_ones(colors, few_steps, tmp_path):
    images, labels, masks = colors
    paths, kept = [], []
    for number, (image, mask) in enumerate(zip(images, masks, strict=True)):
        rows = 16 - number % 3
        paths.append(tmp_path / f"{number:02}.png")
        Image.fromarray((255 * image[:rows]).astype(np.uint8)).save(paths[-1])
        kept.append(mask[:rows] if number < 12 else None)
    names = np.array(["healthy", "ill"], dtype=object)[labels]
    names[20:] = None
    proposal = propose(paths, names, kept, encoders=TINY, random_state=0)
    assert proposal.estimator.negative_class == "healthy"
    assert because(proposal, "images") == "of which 4 are unlabeled"
    assert because(proposal, "size") == "median of 14 x 16 to 16 x 16"
    assert because(proposal, "classes") == "10 of 'healthy', 10 of 'ill'"
    proposal.estimator.fit(paths, names, masks=kept)


@pytest.mark.parametrize("groups", [None, np.arange(24) // 2])
def test_several_classes(colors, few_steps, groups):
    images, labels, masks = colors
    labels, masks = labels * (1 + np.arange(24) // 2 % 2), masks.copy()
    masks *= labels[:, None, None]
    proposal = propose(images, labels, masks, groups=groups, encoders=TINY, random_state=0)
    assert proposal.estimator.fit(images, labels, masks=masks).classes_.tolist() == [0, 1, 2]


def test_several_labels(colors, few_steps):
    images, labels, masks = colors
    indicator = np.stack([labels, np.arange(24) // 2 % 2], axis=1)
    channels = np.stack([masks, indicator[:, 1, None, None] * np.ones_like(masks)], axis=1)
    indicator[0, 1] = -1
    proposal = propose(images, indicator, channels, encoders=TINY, random_state=0)
    assert proposal.estimator.negative_class is None
    fitted = proposal.estimator.fit(images, indicator, masks=channels)
    assert fitted.predict_proba(images).shape == (24, 2)


def test_labels_of_a_class_without_masks_count(colors, few_steps):
    images, labels, masks = colors
    labels = labels * (1 + np.arange(24) // 2 % 2)
    masks = [None if label == 2 else mask for mask, label in zip(masks, labels, strict=True)]
    proposal = propose(images, labels, masks, encoders=TINY, random_state=0)
    assert proposal.estimator.segmenter.label_weight == 1
    assert "labels but no mask" in because(proposal, "label_weight")


def test_rare_class_has_as_many_folds_as_images(colors, few_steps):
    images, labels, masks = colors
    rows = np.r_[0:24:2, 1, 3]
    proposal = propose(images[rows], labels[rows], masks[rows], encoders=TINY, random_state=0)
    assert len(proposal.trials[0].auroc) == 2


@pytest.mark.parametrize(
    ("rows", "groups", "message"),
    [
        (np.r_[0:24:2, 1], None, "Only 1 image shows class 1; expected two"),
        (np.arange(24), np.arange(24) % 2, "Only 1 group shows class 0"),
        (np.arange(0, 24, 2), None, "only one class"),
    ],
)
def test_too_few_of_a_class(colors, rows, groups, message):
    images, labels, masks = (each[rows] for each in colors)
    with pytest.raises(ValueError, match=message):
        propose(images, labels, masks, groups=groups, encoders=TINY)


def ticking(monkeypatch):
    """Let 1,000 seconds pass whenever the clock is looked at."""
    times = iter(range(0, 10**9, 1000))
    monkeypatch.setattr(trials, "perf_counter", lambda: next(times))


@pytest.mark.parametrize(("max_seconds", "n_tried"), [(2500, 0), (4500, 1), (8500, 2), (None, 3)])
def test_no_training_begins_when_time_is_over(colors, few_steps, monkeypatch, max_seconds, n_tried):
    ticking(monkeypatch)
    encoders = [("test_resnet", None), *TINY, *TINY]
    proposal = propose(*colors, encoders=encoders, cv=2, max_seconds=max_seconds, random_state=0)
    assert len(proposal.trials) == n_tried
    missed = {0: "tiny, tiny, test_resnet", 1: "tiny, test_resnet", 2: "test_resnet"}
    found = [each.value for each in proposal.reasons if each.parameter == "not compared"]
    assert found == ([missed[n_tried]] if n_tried in missed else [])
    assert ("no comparison" in because(proposal, "encoder")) == (n_tried == 0)


def test_steps_that_fit_into_the_time(colors, few_steps, monkeypatch):
    ticking(monkeypatch)  # 1,000 s for the 2 steps of a fold, both in one epoch
    proposal = propose(*colors, encoders=TINY, cv=2, max_seconds=1700, random_state=0)
    assert proposal.estimator.segmenter.max_steps == 3
    assert because(proposal, "max_steps") == "as many as fit into 1700 s; the usual number is 4"


def test_training_ends_with_the_time(colors, monkeypatch):
    monkeypatch.setattr(automatic, "usual_steps", lambda *of: 10**9)
    monkeypatch.setattr(trials, "perf_counter", iter(np.arange(0, 1, 0.001)).__next__)
    proposal = propose(*colors, encoders=TINY, max_seconds=0.5, random_state=0)
    assert proposal.trials == []
    assert "no comparison" in because(proposal, "encoder")
    assert 1 <= proposal.estimator.segmenter.max_steps < 10**9


@pytest.mark.parametrize("max_seconds", [0, -1.0])
def test_no_time_at_all(colors, max_seconds):
    with pytest.raises(ValueError, match=r"max_seconds=.*expected a number above 0"):
        propose(*colors, encoders=TINY, max_seconds=max_seconds)


def test_tables_are_text_and_html(colors, few_steps):
    proposal = propose(*colors, encoders=[("tiny", None)], random_state=0)
    reasons, compared = str(proposal).split("\n\n")
    assert reasons.startswith("parameter ")
    assert compared.split()[:5] == ["encoder", "weights", "operations", "AUROC", "IoU"]
    page = proposal._repr_html_()
    assert page.count("<table>") == 2
    assert "&quot;auto&quot;" in page
    assert page.count("<tr>") == len(proposal.reasons) + 1 + 2


def test_it_is_a_public_name():
    assert segclf.reports.propose is propose
