"""``python -m segclf report``: one HTML file from a saved classifier and a table of images."""

import argparse
from typing import Any

from segclf.commands.command import add_command
from segclf.commands.labeled_table import EXAMPLE, read_labeled_table
from segclf.progress import show_progress

EXAMPLES = f"""examples:
  python -m segclf report model.safetensors test.csv
  python -m segclf report model.safetensors test.csv --out june.html --title "Clinic B, June"

test.csv:
{EXAMPLE}"""


def add_parser(commands: Any) -> None:
    """Add the command to those of ``python -m segclf``."""
    report = add_command(
        commands,
        "report",
        run,
        summary="scores and a gallery of errors as one HTML file",
        description="Write a report of a saved classifier on labeled images: one HTML file.",
        examples=EXAMPLES,
    )
    report.add_argument("model", metavar="MODEL", help="a file that segclf.save wrote")
    report.add_argument(
        "table", metavar="TABLE", help="CSV: image, label and, if known, mask, group"
    )
    report.add_argument("--out", default="report.html", help="where to write it (%(default)s)")
    report.add_argument("--title", help="title of the report")
    report.add_argument(
        "--images", type=int, default=500, help="in the gallery, worst first (%(default)s)"
    )


@show_progress()
def run(given: argparse.Namespace) -> int:
    """Write the report, and print where it is."""
    from segclf import load, report

    table = read_labeled_table(given.table, required=("image", "label"))
    path = report(
        load(given.model),
        table.images,
        table.labels,
        table.masks,
        given.out,
        groups=table.groups,
        title=given.title,
        n_images=given.images,
    )
    print(path)
    return 0
