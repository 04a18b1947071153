"""Who may ask an array for its number of axes: the door, and who checks a parameter of its own."""

import ast

from house.modules import parse, place, source_files

# Everybody else has a named question of segclf.axes, or asks Masks.multilabel.
MAY_ASK = {
    "segclf/axes.py": "answers the questions",
    "segclf/data/": "the front door, and what it opens: images, masks, labels, files",
    "segclf/base/front_door.py": "tells images from rows",
    "segclf/metrics/area_rule.py": "checks its own arguments: a grid, labels, scores",
    "segclf/metrics/calibration.py": "checks its own arguments: probabilities (n,) or (n, k)",
    "segclf/metrics/groupings.py": "checks its own argument: cuts",
    "segclf/metrics/_robust_auroc.py": "checks its own argument: labels",
    "segclf/metrics/thresholds.py": "checks its own argument: a grid",
    "segclf/objectives/weight_decay.py": "asks parameters of networks, not images",
    "segclf/methods/otsu_pretrainer/pretrainer.py": "asks parameters of networks, not images",
    "segclf/distributed/batch_norm.py": "asks values of a layer, not images",
    "segclf/isolation/generators.py": "asks what is sampled, not images",
    "segclf/export/onnx_file.py": "asks values of a graph, not images",
    "segclf/training/devices.py": "asks parameters of networks, not images",
    "segclf/testing/pretrainers.py": "checks that embeddings are rows",
    "plugins/segclf_plugins/readers/": "what opens files: images, volumes, masks",
    "plugins/segclf_plugins/summarizers/decision.py": "checks its own argument: maps",
    "plugins/segclf_plugins/pseudo_labelers/class_maps.py": "checks scores of a foreign network",
    "plugins/segclf_plugins/thresholders/base.py": "tells an image from a stack of them",
}


def test_only_the_door_counts_axes():
    asked = [
        place(path, node)
        for path in source_files()
        for node in ast.walk(parse(path))
        if (isinstance(node, ast.Attribute) and node.attr in ("ndim", "dim"))
        or (isinstance(node, ast.Constant) and node.value == "ndim")
    ]
    allowed = tuple(MAY_ASK)
    assert [where for where in asked if not where.startswith(allowed)] == []
    unused = [name for name in allowed if not any(where.startswith(name) for where in asked)]
    assert unused == [], "they ask no more: strike them out"
