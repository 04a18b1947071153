import numpy as np

from segclf.base import supervise
from segclf.data import as_images
from segclf.reports.framing.findings import Findings


def findings(masks, labels, n_findings=1):
    n = len(labels)
    X = np.zeros((n, 2, 4))
    supervision = supervise(X, images=as_images(X), masks=masks, target=np.array(labels))
    return Findings(supervision, n_findings)


MASK = np.array([[0, 1, 1, 2], [0, -1, 0, 0]])


def test_target_is_findings_without_context():
    expected = [[0, 1, 1, 0], [0, -1, 0, 0]]
    assert findings([MASK], [1]).target(0).tolist() == expected
    assert findings([MASK], [1], n_findings=2).target(0).tolist()[0] == [0, 1, 1, 1]


def test_target_of_channels_is_where_any_shows():
    channels = np.array([[[0, 1, -1, -1]] * 2, [[0, 0, 1, 0]] * 2])
    assert findings([channels], [[1, 1]], 2).target(0).tolist() == [[0, 1, 1, -1]] * 2
    assert findings([channels], [[1, 0]], 1).target(0).tolist() == [[0, 1, -1, -1]] * 2


def test_negative_images_have_empty_masks_for_free():
    seen = findings([MASK, None, None], [1, 0, 1])
    assert not seen.target(1).any()
    assert seen.target(1).shape == (2, 4)
    assert seen.target(2) is None
    assert seen.framed.tolist() == [True, True, False]
    assert seen.region_sizes.tolist() == [[5, 2], [8, 0], [0, 0]]
    assert seen.target_sizes.tolist() == [2 / 7]
