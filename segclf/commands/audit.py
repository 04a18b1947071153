"""``python -m segclf audit``: which masks and labels of a table may be wrong."""

import argparse
import csv
import io
from typing import Any

EXAMPLES = """examples:
  python -m segclf audit train.csv
  python -m segclf audit train.csv --out doubts.csv --folds 10 --model model.safetensors

train.csv:
  image,label,mask,group
  scans/001.png,1,masks/001.png,patient7
  scans/002.png,0,,patient8
"""


def add_parser(commands: Any) -> None:
    """Add the command to those of ``python -m segclf``."""
    audit = commands.add_parser(
        "audit",
        help="rank masks and labels by how likely they are wrong",
        description="Rank masks and labels: a model that never saw them predicts something else.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    audit.add_argument(
        "table", metavar="TABLE", help="CSV: image, mask and, if known, label, group"
    )
    audit.add_argument("--out", default="audit.csv", help="where to write it (%(default)s)")
    audit.add_argument("--folds", type=int, default=5, help="and trainings (%(default)s)")
    audit.add_argument(
        "--model", help="a saved model whose settings to train with; else SegmentationClassifier()"
    )
    audit.add_argument("--seed", type=int, default=0, help="of the folds (%(default)s)")
    audit.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Write the table, and print what is most in doubt."""
    from segclf import SegmentationClassifier, SupervisedSegmenter, audit_masks, load
    from segclf.commands.labeled_table import read_labeled_table

    table = read_labeled_table(given.table)
    if table.masks is None:
        raise ValueError(f"{given.table}: there is no column 'mask', which an audit is about.")
    kind = SupervisedSegmenter if table.labels is None else SegmentationClassifier
    audit = audit_masks(
        load(given.model) if given.model else kind(random_state=given.seed),
        table.images,
        table.labels,
        table.masks,
        cv=given.folds,
        groups=table.groups,
        random_state=given.seed,
    )
    rows = [
        {"kind": kind.removesuffix("s"), "image": table.images[row["sample"]], **row}
        for kind, found in audit.to_dict().items()
        for row in found
    ]
    _write(rows, given.out)
    print(f"{audit}\n\n{given.out}")
    return 0


def _write(rows: list[dict[str, Any]], path: str) -> None:
    from segclf.data import atomic_write

    text = io.StringIO()
    columns = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    atomic_write(path, text.getvalue().encode())
