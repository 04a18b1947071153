"""``python -m segclf predict``: predict any number of images into a table, and masks."""

import argparse
from typing import Any

from segclf.commands.command import add_command
from segclf.commands.info import usable_cores

EXAMPLES = """examples:
  python -m segclf predict model.safetensors scans --out predicted
  python -m segclf predict model.safetensors "scans/**/*.png" --out predicted --masks png --resume
  python -m segclf predict model.safetensors images.txt --out predicted --table results.parquet
  python -m segclf predict model.safetensors shards/*.tar --out predicted --shard 3/16
"""


def add_parser(commands: Any) -> None:
    """Add the command to those of ``python -m segclf``."""
    predict = add_command(
        commands,
        "predict",
        run,
        summary="predict any number of images with a saved model",
        description="Predict any number of images with a saved model: a table, and masks.",
        examples=EXAMPLES,
    )
    predict.add_argument("model", metavar="MODEL", help="a file that segclf.save wrote")
    predict.add_argument(
        "images",
        metavar="IMAGES",
        nargs="+",
        help="a folder, a pattern, a text file of paths or URLs, tar or Parquet files, images",
    )
    predict.add_argument("--out", metavar="FOLDER", required=True, help="where results go")
    predict.add_argument("--masks", choices=("png", "nifti"), help="write masks, too")
    predict.add_argument(
        "--table",
        default="results.csv",
        help="its name, with .csv or .parquet (%(default)s)",
    )
    predict.add_argument(
        "--workers", type=int, help="threads that read images; half of the cores, at most 8"
    )
    predict.add_argument("--resume", action="store_true", help="continue an interrupted run")
    predict.add_argument(
        "--shard", metavar="i/n", default="1/1", help="predict one of n parts: 1/n to n/n"
    )


def run(given: argparse.Namespace) -> int:
    """Predict; return 1 if there were images and none could be predicted."""
    from segclf.streaming import Shard, open_images, predict_files

    done = predict_files(
        given.model,
        open_images(given.images),
        given.out,
        table=given.table,
        masks=given.masks,
        n_threads=given.workers or max(1, min(8, (usable_cores() or 1) // 2)),
        resume=given.resume,
        shard=Shard.parse(given.shard),
        progress=True,
    )
    print(f"{done.n_predicted:,} images predicted: {done.table}")
    if done.n_failed:
        print(f"{done.n_failed:,} images left out: {done.errors}")
    return int(done.n_failed > 0 and done.n_predicted == 0)
