"""The same tables, whatever the shards, the threads, and the moment in which a run was killed."""

import csv
import multiprocessing
import os
import signal
import tarfile

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import segclf
from segclf import ImageClassifier, SegmentationClassifier, SupervisedSegmenter
from segclf.data import PathImages, load_mask, save_image
from segclf.datasets import make_shapes
from segclf.hookspecs import ImageData
from segclf.streaming import Shard, open_images, predict_files, prediction, results, shards
from segclf.testing.small import small_estimator

SHAPES = make_shapes(30, image_size=16, n_objects=2, target_radius=4, random_state=0)
DAMAGED = 7


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    for module in (prediction, shards):
        monkeypatch.setattr(module, "BLOCK", 4)
    monkeypatch.setattr(prediction, "CHUNK", 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stream")
    (folder / "images").mkdir()
    for number, image in enumerate(SHAPES.images):
        Image.fromarray(image).save(folder / "images" / f"{number:02}.png")
    (folder / "images" / f"{DAMAGED:02}.png").write_bytes(b"\x89PNG no more")
    return folder


@pytest.fixture(scope="module")
def models(folder):
    small = small_estimator(SupervisedSegmenter, max_epochs=1).set_params(random_state=0)
    direct = small_estimator(ImageClassifier, max_epochs=1).set_params(random_state=0)
    through_masks = SegmentationClassifier(small, random_state=0)
    found = {
        "classifier": direct.fit(SHAPES.images, SHAPES.target),
        "through masks": through_masks.fit(SHAPES.images, SHAPES.target, masks=SHAPES.masks),
        "segmenter": small.fit(SHAPES.images, SHAPES.masks),
    }
    for name, model in found.items():
        segclf.save(model, folder / f"{name}.safetensors")
    return found


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def run(folder, models, tmp_path):
    def predict(name="out", model="classifier", images=None, **options):
        images = open_images(folder / "images") if images is None else images
        return predict_files(folder / f"{model}.safetensors", images, tmp_path / name, **options)

    return predict


def good(array):
    return np.delete(array, DAMAGED, axis=0)


def test_the_table_is_what_predict_says_and_errors_have_their_own(run, folder, models):
    done = run()
    assert (done.n_predicted, done.n_failed) == (29, 1)
    rows = rows_of(done.table)
    assert list(rows[0]) == ["index", "path", "label", "p_0", "p_1"]
    expected = models["classifier"].predict_proba(good(SHAPES.images))
    found = [[float(row["p_0"]), float(row["p_1"])] for row in rows]
    np.testing.assert_array_equal(found, expected)
    labels = models["classifier"].predict(good(SHAPES.images))
    assert [int(row["label"]) for row in rows] == labels.tolist()
    assert [int(row["index"]) for row in rows] == np.delete(np.arange(30), DAMAGED).tolist()
    assert rows[-1]["path"] == str(folder / "images" / "29.png")
    (error,) = rows_of(done.errors)
    assert (error["index"], error["path"]) == ("7", str(folder / "images" / "07.png"))
    assert "Cannot read" in error["error"]
    names = sorted(os.listdir(done.table.parent))
    assert names == ["results-errors.csv", "results.csv", "results.json"]


@pytest.mark.parametrize("n_shards", [2, 3, 11])
def test_shards_and_threads_change_no_byte(run, n_shards):
    whole, parts = run("whole"), []
    for number in range(1, n_shards + 1):
        done = run("parts", shard=Shard(number, n_shards), n_threads=number)
        parts.append((done.table.read_bytes(), done.errors.read_bytes()))
    for number, path in enumerate((whole.table, whole.errors)):
        joined = b"".join(part[number].partition(b"\n")[2] for part in parts)
        assert joined == path.read_bytes().partition(b"\n")[2]


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("part", [0, 2])
def test_a_run_that_was_killed_goes_on_to_the_same_bytes(run, part, monkeypatch):
    def killed():
        write, count = results.Results.write, []

        def write_some(*args):
            if len(count) == part:
                os.kill(os.getpid(), signal.SIGKILL)
            count.append(1)
            write(*args)

        results.Results.write = write_some
        run("killed")

    process = multiprocessing.get_context("fork").Process(target=killed)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    with pytest.raises(ValueError, match=r"holds results already\. Add --resume"):
        run("killed")
    done, whole = run("killed", resume=True), run("whole")
    assert done.n_predicted + done.n_failed == 30 - 8 * part
    assert done.table.read_bytes() == whole.table.read_bytes()
    assert done.errors.read_bytes() == whole.errors.read_bytes()
    again = run("killed", resume=True)
    assert (again.n_predicted, again.n_failed) == (0, 0)


def test_going_on_with_something_else_is_refused(run, folder):
    run()
    fewer = PathImages([folder / "images" / f"{number:02}.png" for number in range(20)])
    with pytest.raises(ValueError, match=r"results of other images: images=\[30, .*now .*\[20, "):
        run(images=fewer, resume=True)
    with pytest.raises(ValueError, match="results of other model, columns"):
        run(model="segmenter", resume=True)


def test_a_table_that_nothing_explains_is_left_alone(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results.csv").write_text("mine")
    with pytest.raises(ValueError, match=r"results\.csv' exists, but no results\.json"):
        run(resume=True)


def test_classes_that_overlap_have_a_file_each(run, folder):
    masks = np.stack([SHAPES.masks == 1, SHAPES.masks == 0], axis=1).astype(int)
    model = small_estimator(SupervisedSegmenter, max_epochs=1).fit(SHAPES.images, masks)
    segclf.save(model, folder / "several.safetensors")
    done = run(model="several", masks="png")
    rows, expected = rows_of(done.table), model.predict(good(SHAPES.images))
    found = [float(row["area_1"]) for row in rows]
    np.testing.assert_array_equal(found, expected[:, 1].mean(axis=(1, 2)))
    assert rows[2]["mask"] == "masks/000000/000000002-{0,1}.png"
    for number in range(2):
        path = done.table.parent / f"masks/000000/000000002-{number}.png"
        np.testing.assert_array_equal(load_mask(path).array, expected[2, number])


def test_volumes_come_one_by_one(run, folder, tmp_path):
    pytest.importorskip("nibabel")
    volumes = make_shapes(4, image_size=16, depth=2, n_objects=2, target_radius=4, random_state=0)
    model = segclf.SliceWise(small_estimator(SupervisedSegmenter, max_epochs=1))
    segclf.save(model.fit(volumes.images, volumes.masks), folder / "volumes.safetensors")
    for number, volume in enumerate(volumes.images):
        save_image(tmp_path / f"{number}.nii.gz", ImageData(volume[..., None], "dhwc"))
    images = open_images(str(tmp_path / "*.nii.gz"))
    with pytest.raises(ValueError, match="PNG cannot hold masks of volumes"):
        run(model="volumes", images=images, masks="png")
    done = run(model="volumes", images=images, masks="nifti")
    expected = model.predict(volumes.images)
    for row, mask in zip(rows_of(done.table), expected, strict=True):
        found = load_mask(done.table.parent / row["mask"]).array
        np.testing.assert_array_equal(found, mask)


def test_masks_are_written_beside(run, models):
    done = run(model="through masks", masks="png", n_threads=2)
    rows, expected = rows_of(done.table), models["through masks"].predict_masks(good(SHAPES.images))
    assert rows[-1]["mask"] == "masks/000000/000000029.png"
    for row, mask in zip(rows, expected, strict=True):
        found = load_mask(done.table.parent / row["mask"]).array
        np.testing.assert_array_equal(found, mask)
    probabilities = models["through masks"].predict_proba(good(SHAPES.images))[:, 1]
    found = [float(row["p_1"]) for row in rows]
    np.testing.assert_allclose(found, probabilities, rtol=1e-12)  # a product of other matrices
    with pytest.raises(ValueError, match="ImageClassifier predicts no masks"):
        run("none", masks="png")
    with pytest.raises(ValueError, match="masks='jpg'; expected one of png, nifti, or None"):
        run("none", masks="jpg")


def test_a_segmenter_says_how_much_each_class_covers(run, models):
    rows = rows_of(run(model="segmenter").table)
    masks = models["segmenter"].predict(good(SHAPES.images))
    found = [float(row["area_1"]) for row in rows]
    np.testing.assert_array_equal(found, (masks == 1).mean(axis=(1, 2)))


def test_parquet_holds_the_same(run):
    parquet = pytest.importorskip("pyarrow.parquet")
    done, text = run("parquet", table="results.parquet"), run("text")
    for path, other in ((done.table, text.table), (done.errors, text.errors)):
        found = [
            {k: str(v) for k, v in row.items()} for row in parquet.read_table(path).to_pylist()
        ]
        assert found == rows_of(other)
    kinds = [str(field.type) for field in parquet.read_schema(done.table)]
    assert kinds == ["int64", "string", "int64", "double", "double"]


def test_archives_are_predicted_in_place(run, folder, tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for path in sorted((folder / "images").iterdir()):
            archive.add(path, f"../{path.name}")
    files, members = run("files"), run("members", images=open_images(tmp_path / "a.tar"))
    found = rows_of(members.table)
    paths = [row.pop("path") for row in found]
    assert paths[0] == str(tmp_path / "a.tar/../00.png")
    assert found == [{k: v for k, v in row.items() if k != "path"} for row in rows_of(files.table)]


def test_images_that_are_all_refused_end_the_run(run, tmp_path):
    dark = np.arange(81, dtype=np.uint16).reshape(9, 9)
    for number in range(20):
        Image.fromarray(dark).save(tmp_path / f"{number:02}.png")
    with pytest.raises(ValueError, match=r"None of the first 8 images.*first error: Image 0 \("):
        run(images=open_images(str(tmp_path / "*.png")))


def test_an_image_of_which_the_network_says_nothing_costs_no_other(run, monkeypatch):
    whole, decide = run("whole"), ImageClassifier.predict_proba

    def broken(self, X):
        if any(X.name(index).startswith("Image 11 ") for index in range(len(X))):
            raise FloatingPointError("NaN")
        return decide(self, X)

    monkeypatch.setattr(ImageClassifier, "predict_proba", broken)
    done = run("broken")
    assert [row["index"] for row in rows_of(done.errors)] == ["7", "11"]
    expected = [row for row in rows_of(whole.table) if row["index"] != "11"]
    assert rows_of(done.table) == expected


def test_what_neither_classifies_nor_segments_is_refused(run, folder):
    segclf.save(
        segclf.PretrainedEncoder(encoder="tiny", encoder_weights=None), folder / "x.safetensors"
    )
    with pytest.raises(ValueError, match="PretrainedEncoder neither classifies nor segments"):
        run(model="x")
    with pytest.raises(ValueError, match=r"'results\.xlsx'; expected a name that ends in \.csv"):
        run(table="results.xlsx")


def test_what_is_composed_is_streamed_and_asked_for_the_scale_inside(run, folder):
    small = small_estimator(SupervisedSegmenter, max_epochs=1)
    classifier = small_estimator(ImageClassifier, max_epochs=1)
    transformer = segclf.PretrainedEncoder(encoder="tiny", encoder_weights=None, random_state=0)
    labeled = (SHAPES.images[:8], SHAPES.target[:8])
    kinds = {
        "search": GridSearchCV(classifier, {"learning_rate": [1e-3]}, cv=2).fit(*labeled),
        "pipeline": make_pipeline(transformer, LogisticRegression()).fit(*labeled),
        "ensemble": SegmentationClassifier(small, cv=2, ensemble=True).fit(
            *labeled, masks=SHAPES.masks[:8]
        ),
        "rounds": segclf.PseudoLabelSemiSupervised(small, baseline=False, guard=False).fit(
            SHAPES.images[:8], [*SHAPES.masks[:6], None, None]
        ),
    }
    Image.fromarray(np.arange(81, dtype=np.uint16).reshape(9, 9)).save(folder / "dark.png")
    paths = [folder / "images" / "00.png", folder / "dark.png", folder / "images" / "01.png"]
    for name, model in kinds.items():
        segclf.save(model, folder / f"{name}.safetensors")
        done = run(name, model=name, images=PathImages(paths))
        assert [row["index"] for row in rows_of(done.table)] == ["0", "2"], name
        assert "fit saw uint8" in rows_of(done.errors)[0]["error"], name
        if name != "rounds":
            labels = [int(row["label"]) for row in rows_of(done.table)]
            assert labels == model.predict(SHAPES.images[:2]).tolist(), name
