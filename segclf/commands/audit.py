"""``python -m segclf audit``: find masks and labels of a table that may be wrong."""

import argparse
from typing import Any

from segclf.commands.command import add_command
from segclf.commands.labeled_table import EXAMPLE, read_labeled_table
from segclf.progress import show_progress

EXAMPLES = f"""examples:
  python -m segclf audit train.csv
  python -m segclf audit train.csv --out doubts.csv --folds 10 --model model.safetensors

train.csv:
{EXAMPLE}"""


def add_parser(commands: Any) -> None:
    """Add the command to those of ``python -m segclf``."""
    audit = add_command(
        commands,
        "audit",
        run,
        summary="rank masks and labels by how likely they are wrong",
        description="Rank masks and labels: a model that never saw them predicts something else.",
        examples=EXAMPLES,
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


@show_progress()
def run(given: argparse.Namespace) -> int:
    """Write the table, and print the most doubtful rows."""
    from segclf import SegmentationClassifier, SupervisedSegmenter, audit_masks, load
    from segclf.data import atomic_write
    from segclf.streaming.tables import as_csv

    table = read_labeled_table(given.table, required=("image", "mask"))
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
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[row.get(name) for name in columns] for row in rows]
    atomic_write(given.out, as_csv([columns, *cells]))
    print(f"{audit}\n\n{given.out}")
    return 0
