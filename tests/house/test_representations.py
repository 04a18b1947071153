"""What users hold shows in one line what it is, and no address in memory."""

import numpy as np
import pytest

import segclf
from segclf.cache import as_memory
from segclf.data import KeptFolder, PathImages, as_images, as_masks
from segclf.reports import MaskAudit

MASKS = [np.eye(4, dtype=int), None]
SHOWN = {
    "Images(2, n_channels=3, size=(4, 5))": lambda: as_images(np.zeros((2, 4, 5, 3), np.uint8)),
    "Images(2, n_channels=1, size=None)": lambda: as_images([np.zeros((4, 5)), np.zeros((4, 4))]),
    "Masks(2, labeled=1, n_classes=2, multilabel=False)": lambda: as_masks(MASKS, 2),
    "PathImages(2)": lambda: PathImages(["a.png", "b.png"]),
    "Memory('kept/segclf')": lambda: as_memory("kept"),
    "KeptFolder('kept')": lambda: KeptFolder("kept"),
    "MaskAudit(3 masks, 2 labels)": lambda: MaskAudit(masks=np.zeros(3), labels=np.zeros(2)),
    "SegmentationClassifier(cv=5)": lambda: segclf.SegmentationClassifier(cv=5),
}


@pytest.mark.parametrize("shown", SHOWN)
def test_it_is_one_line(shown):
    assert repr(SHOWN[shown]()) == shown
