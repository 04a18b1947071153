"""How deep the stack is from a call of fit to an objective's forward: what a debugger shows."""

import traceback
from pathlib import Path

import pytest
from house.modules import ROOT
from sklearn.linear_model import LogisticRegression

from segclf import PseudoLabelSemiSupervised, SegmentationClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes
from segclf.losses import cross_entropy

SHAPES = make_shapes(8, image_size=16, n_objects=2, target_radius=4, random_state=0)
TRAINING = [
    "segmenter.fit",
    "network_estimator._learn",
    "loop.train",
    "loop._train_epoch",
    "supervised_segmenter.forward",
]
stacks = []


def witness(logits, target, *, sample_weight=None, class_weight=None):
    ours = [
        f
        for f in traceback.extract_stack()[:-1]
        if Path(f.filename).is_relative_to(ROOT / "segclf")
    ]
    stacks.append([f"{Path(frame.filename).stem}.{frame.name}" for frame in ours])
    return cross_entropy(logits, target, sample_weight=sample_weight, class_weight=class_weight)


@pytest.fixture
def segmenter():
    stacks.clear()
    return SupervisedSegmenter(encoder="tiny", max_epochs=1, loss=witness)


def test_of_a_segmenter(segmenter):
    segmenter.fit(SHAPES.images, SHAPES.masks)
    assert all(stack == TRAINING for stack in stacks)


@pytest.mark.parametrize("cv", [None, 2])
def test_of_a_classifier_at_most_two_more(segmenter, cv):
    classifier = SegmentationClassifier(segmenter=segmenter, summarizer=LogisticRegression(), cv=cv)
    classifier.fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks)
    assert stacks[0] == ["classifier.fit", "kept_segmenter.fit_segmenter", *TRAINING]


@pytest.mark.parametrize("n_masks", [4, 8])
def test_of_pseudo_labels_at_most_three_more(segmenter, n_masks):
    masks = [*SHAPES.masks[:n_masks], *[None] * (8 - n_masks)]
    pseudo = PseudoLabelSemiSupervised(segmenter, max_iter=2, random_state=0)
    pseudo.fit(SHAPES.images, masks)
    assert {stack[0] for stack in stacks} == {"semi_supervised.fit"}
    assert all(stack[-5:] == TRAINING for stack in stacks)
    assert max(map(len, stacks)) <= 8
