"""nnU-Net's own check of data sets accepts what we write, and what its tools write we read."""

import importlib.util
import os
import subprocess
import sys
import sysconfig
import venv

import numpy as np
import pytest

from segclf.data import as_images, as_masks
from segclf.datasets import load_nnunet, to_nnunet

VERIFY = """
import sys
from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity

if __name__ == "__main__":
    for folder in sys.argv[1:]:
        verify_dataset_integrity(folder, num_processes=1)
"""
DESCRIBE = """
import sys
from nnunetv2.dataset_conversion.generate_dataset_json import generate_dataset_json

generate_dataset_json(
    sys.argv[1], channel_names={0: "R", 1: "G", 2: "B"}, labels={"background": 0, "road": 1,
    "ignore": 2}, num_training_cases=3, file_ending=".png", dataset_name="Roads",
)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Return an interpreter with nnunetv2: ours, or that of an environment made for it."""
    if importlib.util.find_spec("nnunetv2") is not None:
        return sys.executable
    folder = tmp_path_factory.mktemp("nnunet")
    venv.create(folder, with_pip=True)
    made = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    site = subprocess.run(
        [made, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    ours = f"{sysconfig.get_path('purelib')}\n"
    with open(os.path.join(site.stdout.strip(), "ours.pth"), "w") as file:
        file.write(ours)
    done = subprocess.run([made, "-m", "pip", "install", "-q", "nnunetv2"], check=False)
    if done.returncode != 0:
        pytest.skip("nnunetv2 cannot be installed here")
    return str(made)


@pytest.mark.slow
def test_its_check_accepts_images_and_volumes(tmp_path, python):
    rng = np.random.default_rng(0)
    masks = rng.integers(-1, 3, (3, 32, 40))
    written = {
        "colours": (rng.integers(0, 255, (3, 32, 40, 3), dtype=np.uint8), masks, {}),
        "channels": (rng.integers(0, 255, (3, 32, 40, 2), dtype=np.uint8), masks, {}),
        "tif": (rng.random((3, 32, 40)).astype(np.float32), masks, {}),
        "flat": (rng.random((3, 32, 40)), masks, {"file_ending": ".nii.gz"}),
        "volumes": (
            rng.integers(-999, 999, (3, 8, 10, 12, 2), dtype=np.int16),
            [*rng.integers(-1, 3, (2, 8, 10, 12)), None],
            {"n_spatial": 3, "spacing": (3.0, 0.5, 0.75)},
        ),
    }
    for name, (images, each, given) in written.items():
        to_nnunet(tmp_path / name, images, each, **given)
    (tmp_path / "verify.py").write_text(VERIFY)
    folders = [str(tmp_path / name) for name in written]
    done = _run(python, tmp_path / "verify.py", *folders)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("verify_dataset_integrity Done.") == len(written)
    assert "Error" not in done.stdout + done.stderr


@pytest.mark.slow
def test_what_its_tools_describe_is_read(tmp_path, python):
    images = np.random.default_rng(0).integers(0, 255, (3, 16, 16, 3), dtype=np.uint8)
    masks = np.random.default_rng(0).integers(-1, 2, (3, 16, 16))
    to_nnunet(tmp_path, images, masks)
    (tmp_path / "dataset.json").unlink()
    (tmp_path / "describe.py").write_text(DESCRIBE)
    done = _run(python, tmp_path / "describe.py", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    found = load_nnunet(tmp_path)
    assert found.class_names == ["background", "road"]
    np.testing.assert_array_equal(np.stack(as_images(found.images).take(range(3))), images)
    np.testing.assert_array_equal(np.stack(list(as_masks(found.masks, 3))), masks)


def _run(python, *arguments):
    folders = {f"nnUNet_{name}": "" for name in ("raw", "preprocessed", "results")}
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [python, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**environment, **folders},
    )
