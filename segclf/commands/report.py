"""``python -m segclf report``: a saved classifier and a table of images to one HTML file."""

import argparse
from typing import Any

EXAMPLES = """examples:
  python -m segclf report model.safetensors test.csv
  python -m segclf report model.safetensors test.csv --out june.html --title "Clinic B, June"

test.csv:
  image,label,mask,group
  scans/001.png,1,masks/001.png,patient7
  scans/002.png,0,,patient8
"""


def add_parser(commands: Any) -> None:
    """Add the command to those of ``python -m segclf``."""
    report = commands.add_parser(
        "report",
        help="scores and a gallery of errors as one HTML file",
        description="Write a report of a saved classifier on labeled images: one HTML file.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    report.add_argument("model", metavar="MODEL", help="a file that segclf.save wrote")
    report.add_argument(
        "table", metavar="TABLE", help="CSV: image, label and, if known, mask, group"
    )
    report.add_argument("--out", default="report.html", help="where to write it (%(default)s)")
    report.add_argument("--title", help="what to write above")
    report.add_argument(
        "--images", type=int, default=500, help="in the gallery, worst first (%(default)s)"
    )
    report.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Write the report, and print where it is."""
    from segclf import load, report
    from segclf.commands.labeled_table import read_labeled_table

    table = read_labeled_table(given.table)
    if table.labels is None:
        raise ValueError(
            f"{given.table}: there is no column 'label', which a report compares with."
        )
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
