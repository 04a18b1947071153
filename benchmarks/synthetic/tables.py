"""The tables and the picture of ``benchmarks.synthetic``."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.shared.markdown import NONE, line, rule
from benchmarks.synthetic.runs import MODELS, PANELS, Settings

Row = dict[str, Any]
METRICS = {"auroc": "AUROC", "balanced_accuracy": "balanced accuracy"}
N_COLUMNS = 3  # of the picture


def tables(settings: Settings, rows: list[Row]) -> str:
    """Return one Markdown table an experiment: mean over the seeds, lowest to highest."""
    parts = [f"Means of {settings.seeds} seed(s) (lowest to highest), {len(rows)} runs.\n"]
    for experiment in settings.experiments:
        panel, meaning = PANELS[experiment]
        heads = [meaning, *(f"{model}, {what}" for what in METRICS.values() for model in MODELS)]
        parts += [
            f"### {f'Figure 5{panel}: ' if panel else ''}{meaning}\n",
            line(heads),
            rule(len(heads)),
        ]
        for level in settings.levels[experiment]:
            found = [values(rows, experiment, level, m, name) for name in METRICS for m in MODELS]
            parts.append(line([f"{level:g}", *map(cell, found)]))
        parts.append("")
    return "\n".join(parts)


def draw(settings: Settings, rows: list[Row], file: Path) -> None:
    """Draw one panel an experiment: the mean of the seeds as a line, all of them as a band."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    n_rows = -(-len(settings.experiments) // N_COLUMNS)
    n_columns = min(len(settings.experiments), N_COLUMNS)
    figure, axes = pyplot.subplots(
        n_rows,
        n_columns,
        figsize=(4 * n_columns, 3.4 * n_rows),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for ax in axes.flat[len(settings.experiments) :]:
        ax.set_axis_off()
    for ax, experiment in zip(axes.flat, settings.experiments, strict=False):
        draw_panel(ax, settings, rows, experiment)
    for ax in axes[:, 0]:
        ax.set(ylabel="test AUROC", ylim=(0.4, 1.02))
    axes[0, 0].legend(loc="center left", fontsize="small")
    figure.savefig(file, dpi=120)
    pyplot.close(figure)


def draw_panel(ax: Any, settings: Settings, rows: list[Row], experiment: str) -> None:
    levels = settings.levels[experiment]
    for model, color, marker in zip(MODELS, ("#0072B2", "#D55E00"), "os", strict=True):
        found = [values(rows, experiment, level, model, "auroc") for level in levels]
        ax.plot(levels, [np.mean(v) for v in found], color=color, marker=marker, label=model)
        ax.fill_between(
            levels, list(map(min, found)), list(map(max, found)), color=color, alpha=0.2
        )
    panel, meaning = PANELS[experiment]
    ax.set(title=f"({panel}) {experiment}".replace("_", " ").removeprefix("() "), xlabel=meaning)
    ax.axhline(0.5, color="gray", linewidth=0.8, linestyle="dotted")
    if experiment == "training_size":
        ax.set_xscale("log")
        ax.set_xticks(levels, [f"{level:g}" for level in levels], minor=False)
        ax.minorticks_off()


def values(rows: list[Row], experiment: str, level: float, model: str, metric: str) -> list[float]:
    key = (experiment, level, model)
    return [row[metric] for row in rows if (*row["task"][:2], row["task"][3]) == key]


def cell(found: list[float]) -> str:
    return f"{np.mean(found):.3f} ({min(found):.3f} to {max(found):.3f})" if found else NONE
