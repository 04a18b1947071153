"""What a reader of the README does with a folder of files; none of it is typed again here.

``python -m house.readers_way PYTHON [PATH]`` does it in the current folder, with an interpreter
that finds packages in PATH, or that has them.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import cv2
from house.modules import ROOT

from segclf.datasets import make_shapes

README = (ROOT / "README.md").read_text(encoding="utf-8")
N_IMAGES, N_MASKS = 24, 12


def code():
    """Return the block of Python that saves a classifier."""
    found = re.findall(r"^```python\n(.*?)^```$", README, re.M | re.S)
    (block,) = [each for each in found if "segclf.save(" in each]
    return block


def command():
    """Return the command that predicts with it, after the name of the interpreter."""
    (line,) = re.findall(r"^python (-m segclf predict .*)$", README, re.M)
    return shlex.split(line)


def prepare(folder):
    """Write what a reader has, as the comments in the block describe it."""
    shapes = make_shapes(N_IMAGES, image_size=32, n_objects=3, target_radius=5, random_state=0)
    files = {}
    for number, (image, mask) in enumerate(zip(shapes.images, shapes.masks, strict=True)):
        label = ("healthy", "ill")[shapes.target[number]]
        files[f"images/{label}/{number}.png"] = files[f"new/{number}.png"] = image
        if number < N_MASKS:
            files[f"masks/{number}.png"] = mask
    for name, pixels in files.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), pixels)


def main(python, path=None):
    prepare(".")
    Path("reader.py").write_text(code(), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = path
    for arguments in (["reader.py"], command()):
        subprocess.run([python, *arguments], env=environment, check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
