"""``python -m segclf demo | predict | plugins | info``."""

import argparse
import importlib.metadata
import json
import os
import pathlib
import platform
import sys
from dataclasses import asdict
from typing import Any

from segclf.plugin_check import check_plugins
from segclf.registry import PluginInfo, list_plugins

__all__ = ["main"]

PACKAGES = {
    "segclf": "segclf",
    "torch": "torch",
    "torchvision": "torchvision",
    "scikit-learn": "scikit-learn",
    "segmentation-models-pytorch": "segmentation-models-pytorch",
    "timm": "timm",
    "numpy": "numpy",
    "opencv": "opencv-python-headless",
}
COLUMNS = ("kind", "name", "distribution", "version", "state")
_EXAMPLES = """examples:
  python -m segclf predict model.safetensors scans --out predicted
  python -m segclf predict model.safetensors "scans/**/*.png" --out predicted --masks png --resume
  python -m segclf predict model.safetensors images.txt --out predicted --table results.parquet
  python -m segclf predict model.safetensors shards/*.tar --out predicted --shard 3/16
"""
_CHECKED = "{:<15} {:<24} {:<20} {:<9} {:<8} {}"


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands.

    Parameters
    ----------
    arguments : list of str, optional
        As on the command line, which is the default.

    Returns
    -------
    int
        The process's exit status.
    """
    given = _parser().parse_args(arguments)
    if given.command == "demo":
        from segclf.demo import run  # brings torch, which the other commands start without

        run(given.output, seed=given.seed, max_epochs=given.epochs or "auto")
    elif given.command == "predict":
        return _predict(given)
    elif given.command == "plugins" and given.check:
        return _check(given.distribution, given.seconds)
    elif given.command == "plugins":
        print(_plugins_json() if given.json else _plugins_table(given.verbose))
    else:
        print("\n".join(f"{name:<28} {value}" for name, value in _info().items()))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m segclf", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="segmentation against classification, in a minute")
    demo.add_argument(
        "--output",
        type=pathlib.Path,
        default=pathlib.Path("segclf-demo.png"),
        help="where to write the picture (%(default)s)",
    )
    demo.add_argument("--seed", type=int, default=0, help="decides images and training")
    demo.add_argument("--epochs", type=int, help="passes over the training images")
    _add_predict(commands)
    plugins = commands.add_parser("plugins", help="list the installed plugins")
    plugins.add_argument("--json", action="store_true", help="everything, for programs")
    plugins.add_argument("--verbose", action="store_true", help="whole tracebacks")
    plugins.add_argument(
        "--check", action="store_true", help="try each in a process of its own; 1 if one fails"
    )
    plugins.add_argument("--distribution", help="with --check: those of this one alone")
    plugins.add_argument(
        "--seconds", type=float, default=60, help="with --check: what each may take (%(default)s)"
    )
    commands.add_parser("info", help="versions, device, precision, threads")
    return parser


def _add_predict(commands: Any) -> None:
    predict = commands.add_parser(
        "predict",
        help="predict any number of images with a saved model",
        description="Predict any number of images with a saved model: a table, and masks.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
    predict.add_argument("--resume", action="store_true", help="go on where a run ended")
    predict.add_argument(
        "--shard", metavar="i/n", default="1/1", help="predict one of n parts: 1/n to n/n"
    )


def _predict(given: argparse.Namespace) -> int:
    """Run the stream; 1 where no image could be predicted, 2 where it cannot begin."""
    from segclf.streaming import Shard, open_images, predict_files

    workers = given.workers or max(1, min(8, (_usable_cores() or 1) // 2))
    try:
        done = predict_files(
            given.model,
            open_images(given.images),
            given.out,
            table=given.table,
            masks=given.masks,
            n_threads=workers,
            resume=given.resume,
            shard=Shard.parse(given.shard),
            progress=True,
        )
    except (ImportError, OSError, ValueError) as error:
        print(f"python -m segclf predict: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted. With --resume it goes on from here.", file=sys.stderr)
        return 130
    print(f"{done.n_predicted:,} images predicted: {done.table}")
    if done.n_failed:
        print(f"{done.n_failed:,} images left out: {done.errors}")
    return int(done.n_failed > 0 and done.n_predicted == 0)


def _plugins_json() -> str:
    return json.dumps([asdict(plugin) for plugin in list_plugins()], indent=2)


def _plugins_table(verbose: bool) -> str:
    """One row a plugin, what is wrong with it below."""
    plugins = list_plugins()
    rows = [COLUMNS, *(_row(plugin) for plugin in plugins)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    for number, plugin in reversed(list(enumerate(plugins, start=2))):
        trouble = plugin.error.strip().splitlines()
        lines[number:number] = [f"    {line}" for line in (trouble if verbose else trouble[-1:])]
    return "\n".join(lines)


def _check(distribution: str | None, seconds: float) -> int:
    """Print a row for each plugin as it has been tried, and what is wrong with it below."""
    failed = 0
    print(_CHECKED.format(*COLUMNS[:-1], "result", "seconds"))
    for plugin, result, message, took in check_plugins(distribution, seconds=seconds):
        failed += result != "ok"
        print(_CHECKED.format(*_row(plugin)[:-1], result, f"{took:.1f}"))
        for line in message.strip().splitlines()[-1:]:
            print(f"    {line}")
    return int(failed > 0)


def _row(plugin: PluginInfo) -> tuple[str, ...]:
    return tuple(str(getattr(plugin, column) or "?") for column in COLUMNS)


def _info() -> dict[str, str]:
    """What to put into a bug report."""
    import torch

    from segclf.training import choose_device, choose_threads, has_native_bf16

    found = {name: _version(distribution) for name, distribution in PACKAGES.items()}
    native = has_native_bf16(choose_device("auto"))
    return {
        "python": sys.version.split()[0],
        **found,
        "system": platform.platform(),
        "device": _device(),
        "CPU capability": torch.backends.cpu.get_cpu_capability(),
        "cores": f"{_usable_cores()} usable of {os.cpu_count()}",
        "threads": f"{choose_threads(None)} by our rule, {torch.get_num_threads()} by torch's",
        "precision": "bf16 for networks that gain by it" if native else "fp32: no native bf16",
        "plugins": ", ".join(sorted({plugin.distribution for plugin in list_plugins()})),
    }


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return f"cuda ({torch.cuda.get_device_name()})"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _usable_cores() -> int | None:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


if __name__ == "__main__":
    sys.exit(main())
