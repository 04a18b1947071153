"""Draw the charts of docs/results.md from the tables on that page: ``python docs/make_charts.py``.

Needs the extra ``segclf[plot]``.
"""

import re
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

DOCS = Path(__file__).parent
SEGMENTATION, CLASSIFICATION, OTHER = "#1b6ca8", "#d1495b", "#8d99ae"
NAMES = {
    "lgg_mri": "brain MRI",
    "busi": "breast ultrasound",
    "road_pothole": "road surfaces",
    "magnetic_tile": "magnetic tiles",
    "coffee_leaf": "coffee leaves",
}
Rows = list[list[str]]


def main() -> None:
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    page = (DOCS / "results.md").read_text()
    for name, draw in CHARTS.items():
        figure, axes = plt.subplots(figsize=(6.4, 2.6), layout="constrained")
        draw(axes, page)
        figure.savefig(DOCS / "gallery" / f"{name}.png", dpi=160)
        plt.close(figure)


def few_labels(axes: Axes, page: str) -> None:
    rows = table(page, "A hundred labels", "set | images (positive, masks)")
    colors = {"SegmentationClassifier()": SEGMENTATION, "ImageClassifier()": CLASSIFICATION}
    for shift, (method, color) in zip((-0.13, 0.13), colors.items(), strict=True):
        chosen = {row[0]: interval(row[3]) for row in rows if row[2] == method}
        for place, name in enumerate(NAMES):
            mean, low, high = chosen[name]
            label = method if place == 0 else None
            axes.plot([low, high], [place + shift] * 2, color=color, lw=1.5)
            axes.plot(mean, place + shift, "o", color=color, label=label)
    axes.set(xlabel="AUROC, 95 % interval", xlim=(0.5, 1.005))
    axes.set_yticks(range(len(NAMES)), NAMES.values())
    axes.invert_yaxis()
    axes.legend(loc="lower left", frameon=False)


def planted_mark(axes: Axes, page: str) -> None:
    rows = table(page, "What comes along with a finding", "marked | framing | marked as")
    lines = {
        "default, all masks": ("SegmentationClassifier()", SEGMENTATION, "o-"),
        "default, 10 % of masks": ("... with a tenth of the masks", SEGMENTATION, "o--"),
        "classification": ("ImageClassifier()", CLASSIFICATION, "o-"),
    }
    for row in rows:
        if row[2] not in lines:
            continue
        label, color, style = lines[row[2]]
        means, lows, highs = zip(*(interval(cell) for cell in row[3:6]), strict=True)
        axes.plot(range(3), means, style, color=color, label=label)
        axes.fill_between(range(3), lows, highs, color=color, alpha=0.12, lw=0)
    axes.set(ylabel="AUROC", xlim=(-0.2, 2.2))
    axes.set_yticks([0.6, 0.7, 0.8, 0.9, 1.0])
    axes.set_xticks(range(3), ["bar as in training", "no bar", "the bar misleads"])
    axes.legend(loc="lower left", frameon=False)


def few_masks(axes: Axes, page: str) -> None:
    rows = table(page, "Few masks, labels for all", "AUROC | lgg_mri")
    shown = [row for row in rows if "those labels" not in row[0]]
    for place, row in enumerate(shown):
        mean, deviation = map(float, re.findall(r"\.\d+", row[2]))
        color = CLASSIFICATION if "Image" in row[0] else OTHER if "all" in row[0] else SEGMENTATION
        axes.errorbar(mean, place, xerr=deviation, fmt="o", color=color)
        axes.text(mean + deviation + 0.002, place, f"{mean:.3f}", color=color, va="center")
    names = {"all masks": "all 400 masks", "empty masks": "and empty masks of negatives"}
    labels = [names.get(row[0], row[0]).replace("`", "") for row in shown]
    axes.set_yticks(range(len(shown)), labels)
    axes.set(xlabel="AUROC on brain MRI, 400 labels and 40 masks", xlim=(0.88, 1))
    axes.invert_yaxis()


def seconds(axes: Axes, page: str) -> None:
    rows = [row for row in table(page, "Seconds to a quality", "set | who") if row[0] == "lgg_mri"]
    for place, row in enumerate(rows):
        met = not row[4].startswith("not")
        spent = float(row[4].split()[0]) if met else float(row[8])
        axes.barh(place, spent, color=SEGMENTATION if met else OTHER, height=0.65)
        says = f"AUROC {float(row[6]):.2f}, IoU {float(row[7]):.2f}"
        axes.text(spent + 4, place, says + ("" if met else ", not reached"), va="center")
    axes.set_yticks(range(len(rows)), [row[1] for row in rows])
    axes.set(xlabel="seconds of one core", xlim=(0, 520))
    axes.invert_yaxis()


CHARTS = {
    "few_labels": few_labels,
    "planted_mark": planted_mark,
    "few_masks": few_masks,
    "seconds": seconds,
}


def table(page: str, section: str, header: str) -> Rows:
    """Return the cells of the table in a section whose header begins with the given text."""
    text = page.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = text.partition(f"| {header}")[2].splitlines()[2:]
    if not lines:
        raise ValueError(f"No table '{header}' in section '{section}' of results.md.")
    n_rows = next((n for n, line in enumerate(lines) if not line.startswith("|")), len(lines))
    return [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines[:n_rows]]


def interval(cell: str) -> tuple[float, float, float]:
    """Parse a cell such as '.961 (.932 to .982)'."""
    mean, low, high = map(float, re.findall(r"\d*\.\d+", cell))
    return mean, low, high


if __name__ == "__main__":
    main()
