"""Do exported graphs equal their estimators, how fast are they, and what do 8-bit weights cost?

Run ``python -m benchmarks.export [--rounds 15] [--only unet]``. Random weights on synthetic
shapes: largest difference over sizes, numbers and types of images; seconds for one image of
256 x 256 by onnxruntime and by segclf, alternating, on one thread; memory that each adds in a
separate process (Linux only). Then AUROC on 200 further shapes of a classifier, of its graph, and
of the graph with 8-bit weights (onnxruntime's dynamic quantization). It fails if a difference
is above 1e-5.
"""

import argparse
import multiprocessing
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
from sklearn.metrics import roc_auc_score

import segclf
from benchmarks.shared.machine import describe_machine
from benchmarks.shared.turns import markdown, quotients, take_turns
from segclf import ImageClassifier, MultitaskClassifier, SegmentationClassifier, SupervisedSegmenter
from segclf.datasets import make_shapes

CEILING = 1e-5
SIZES = [(32, 32), (33, 90), (64, 17), (9, 8), (131, 127), (256, 256)]
SHAPES = make_shapes(32, image_size=48, n_objects=3, random_state=0)
LARGE = make_shapes(4, image_size=256, n_objects=3, random_state=1).images
SHORT = {"max_epochs": 2, "random_state": 0, "precision": "fp32"}


def segmenter(architecture="unet", encoder="tiny", **settings):
    return SupervisedSegmenter(architecture=architecture, encoder=encoder, **SHORT, **settings)


def through_masks(summarizer):
    return SegmentationClassifier(segmenter=segmenter(), summarizer=summarizer, random_state=0)


def kinds():
    """Return what is exported, by name."""
    networks = ["unet/resnet18", "unet/tf_efficientnet_lite0", "hypercolumn/tf_efficientnet_lite0"]
    networks += ["fpn/resnet18", "deeplabv3plus/resnet18", "hypercolumn/tiny_vit"]
    summarizers = ("threshold", "joint", "pooled", "fully_connected", "tuned_threshold")
    return {
        **{name: segmenter(*name.split("/")) for name in networks},
        **{f"summarizer={name}": through_masks(name) for name in summarizers},
        "image_size=64, flips": segmenter(image_size=64, test_time_flips="both"),
        "ImageClassifier/resnet18": ImageClassifier(encoder="resnet18", **SHORT),
        "MultitaskClassifier": MultitaskClassifier(encoder="tiny", **SHORT),
    }


def fitted(estimator, dtype="uint8"):
    images = SHAPES.images.astype(dtype) * (257 if dtype == "uint16" else 1)
    if isinstance(estimator, SupervisedSegmenter):
        return estimator.fit(images, SHAPES.masks)
    if isinstance(estimator, ImageClassifier):
        return estimator.fit(images, SHAPES.target)
    return estimator.fit(images, SHAPES.target, masks=SHAPES.masks)


def opened(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return lambda X: dict(zip(names, session.run(names, {"images": X}), strict=True))


def differences(estimator, serve, dtype):
    """Return the largest difference of labels and of masks over all sizes and numbers."""
    generator, worst = np.random.default_rng(0), {}
    for size in SIZES:
        for n_images in (1, 2):
            shape = (n_images, *size, 3)
            X = generator.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
            given, masks = serve(X), getattr(estimator, "predict_mask_proba", None)
            expected = {"probabilities": estimator.predict_proba, "mask_probabilities": masks}
            if "probabilities" not in given:
                expected = {"mask_probabilities": estimator.predict_proba}
            for name, ask in expected.items():
                if name in given:
                    found = float(np.abs(given[name] - ask(X)).max())
                    worst[name] = max(worst.get(name, 0.0), found)
    return max(worst.values())


def memory_of(path, by_graph):
    """Return by how many MB the first prediction raises the peak memory of a new process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(added_memory, (str(path), by_graph))


def added_memory(path, by_graph):
    image = LARGE[:1]
    if by_graph:
        ask = opened(path)
    else:
        estimator = segclf.load(path)
        ask = estimator.predict_proba
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far was that of imports
    before = resident("VmRSS")
    ask(image)
    return (resident("VmHWM") - before) / 1024


def resident(name):
    """Return the kilobytes that Linux gives under a name."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


def row(name, estimator, folder, n_rounds):
    graph, model, worst = folder / "a.onnx", folder / "a.safetensors", []
    for dtype in ("uint16", "uint8"):
        fitted(estimator, dtype)
        segclf.export_onnx(estimator, graph)
        worst.append(differences(estimator, opened(graph), dtype))
    segclf.save(estimator, model)
    serve, image = opened(graph), LARGE[:1]
    sides = {"graph": lambda: serve(image), "segclf": lambda: estimator.predict_proba(image)}
    take_turns(sides, 2)
    times = take_turns(sides, n_rounds)
    wall, _ = quotients(times["graph"], times["segclf"])
    milliseconds = [np.median([each.wall for each in times[side]]) * 1e3 for side in times]
    memory = [memory_of(graph, True), memory_of(model, False)]
    cells = [f"{max(worst):.1e}", *(f"{each:.1f}" for each in milliseconds), str(wall)]
    return [name, *cells, *(f"{each:.0f}" for each in memory)], max(worst)


def eight_bits(folder):
    """Compare a trained classifier, its graph, and the graph with 8-bit weights."""
    from onnxruntime.quantization import quantize_dynamic

    train, test = (make_shapes(n, image_size=64, random_state=n) for n in (100, 200))
    classifier = SegmentationClassifier(segmenter=SupervisedSegmenter(), random_state=0)
    classifier.fit(train.images, train.target, masks=train.masks)
    graph, small = folder / "a.onnx", folder / "small.onnx"
    segclf.export_onnx(classifier, graph)
    quantize_dynamic(graph, small)
    rows = [["segclf", classifier.predict_proba(test.images)[:, 1], None]]
    for name, path in (("graph", graph), ("8 bits", small)):
        said = opened(path)(test.images)["probabilities"][:, 1]
        rows.append([name, said, path.stat().st_size / 1e6])
    return [
        [name, f"{roc_auc_score(test.target, said):.4f}", "" if size is None else f"{size:.1f}"]
        for name, said, size in rows
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="what the names of the estimators contain")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{describe_machine()}, onnxruntime {onnxruntime.__version__}\n")
    header = ["estimator", "largest difference", "graph, ms", "segclf, ms", "ratio (quartiles)"]
    print(markdown([*header, "graph, MB", "segclf, MB"], []), flush=True)
    worst = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, estimator in kinds().items():
            if given.only in kind:
                cells, apart = row(kind, estimator, folder, given.rounds)
                print(f"| {' | '.join(cells)} |", flush=True)
                worst = max(worst, apart)
        print("\n" + markdown(["answers of", "AUROC", "file, MB"], eight_bits(folder)))
    return int(worst > CEILING)


if __name__ == "__main__":
    raise SystemExit(main())
