"""Count rooms, doors, holders, frames, functions and names of the code base, for any revision.

    python -m benchmarks.house                                # of this tree
    git worktree add ../before 8a56a5d
    python -m benchmarks.house --root ../before --root .      # two side by side, as Markdown

Sources are parsed; code in the tree runs only to count frames and descriptions in `help`.
`--list` names every door, holder, inner import and hidden module.
"""

import argparse
import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles

PLUGINS = ("plugins/segclf_plugins", "plugins/segclf-example/src")
CHECKS = {"as_masks", "check_labels", "check_mask_sizes"}
# Packages that open the users' data, and that make data for tests.
NO_DOORS = ("segclf/data/", "segclf/testing/")
OF_IMAGES = {"X", "images", "_images"}
OF_MASKS = {"masks", "labels", "y", "_masks", "_labels"}

RUN = """
import inspect, json, re, traceback, warnings
from pathlib import Path
import segclf
from sklearn.base import BaseEstimator
from segclf.datasets import make_shapes
from segclf.losses import cross_entropy

warnings.simplefilter("ignore")
package, depths = str(Path(segclf.__file__).parent), []

def loss(logits, target, *, sample_weight=None, class_weight=None):
    stack = traceback.extract_stack()
    depths.append(sum(frame.filename.startswith(package) for frame in stack))
    return cross_entropy(logits, target, sample_weight=sample_weight, class_weight=class_weight)

shapes = make_shapes(8, image_size=32, n_objects=3, random_state=0)
segmenter = segclf.SupervisedSegmenter(encoder="tiny", max_epochs=1, loss=loss, random_state=0)
classifier = segclf.SegmentationClassifier(segmenter=segmenter)
rounds = segclf.PseudoLabelSemiSupervised(segmenter, labeler="thresholder", random_state=0)
some = [*shapes.masks[:4], None, None, None, None]
fits = {
    "SupervisedSegmenter": lambda: segmenter.fit(shapes.images, shapes.masks),
    "SegmentationClassifier": lambda: classifier.fit(
        shapes.images, shapes.target, masks=shapes.masks
    ),
    "PseudoLabelSemiSupervised": lambda: rounds.fit(shapes.images, some),
}
frames = {}
for name, fit in fits.items():
    depths.clear()
    fit()
    frames[name] = max(depths)

def described(kind):
    text = inspect.cleandoc(kind.__doc__ or "")
    section = re.search(r"^Parameters\\n-+\\n(.*?)(?=^[^\\n]+\\n-{3,}$|\\Z)", text, re.M | re.S)
    entries = re.findall(r"^(\\S[^:\\n]*)", section[1], re.M) if section else []
    return {name.strip(" *") for entry in entries for name in entry.split(",")}

public = [getattr(segclf, name) for name in segclf.__all__]
kinds = [kind for kind in public if inspect.isclass(kind) and issubclass(kind, BaseEstimator)]
parameters = {kind.__name__: set(kind._get_param_names()) for kind in kinds}
told = sum(len(parameters[kind.__name__] & described(kind)) for kind in kinds)
print(json.dumps([frames, told, sum(map(len, parameters.values()))]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, action="append", help="a tree; this one by default")
    parser.add_argument("--list", action="store_true", help="name what is counted")
    options = parser.parse_args()
    roots = options.root or [Path(__file__).resolve().parents[1]]
    columns = [measure(root.resolve(), names=options.list) for root in roots]
    rows = dict.fromkeys(name for column in reversed(columns) for name in column)
    print("| | " + " | ".join(str(root) for root in roots) + " |")
    print("|---" * (len(roots) + 1) + "|")
    for row in rows:
        print(f"| {row} | " + " | ".join(column.get(row, "–") for column in columns) + " |")


def measure(root: Path, *, names: bool) -> dict[str, str]:
    """Return every number of a tree, by its name."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sources(root)}
    found = {
        "doors: functions outside of `data` that check masks or labels": doors(root, trees),
        "holders of images and what is said of them": holders(root, trees),
        "imports by plugins of what is inside a room": inner_imports(root, trees),
        "modules hidden by a name of their package": hidden(root, trees),
    }
    if names:
        for what, places in found.items():
            print(f"\n{what}, {root}:", *places, sep="\n  ", file=sys.stderr)
    comparisons = ndim_tests(trees)
    return {
        **rooms(root),
        **{what: str(len(places)) for what, places in found.items()},
        "comparisons with `ndim`": f"{sum(comparisons)} in {len(comparisons)} files",
        **functions(trees),
        **run(root),
    }


def sources(root: Path) -> list[Path]:
    """List the files of the core and of the plugins."""
    files = [path for top in ("segclf", *PLUGINS) for path in (root / top).rglob("*.py")]
    return sorted(path for path in files if "build" not in path.relative_to(root).parts)


def rooms(root: Path) -> dict[str, str]:
    """Count files and lines of each room."""
    folders = sorted(file.parent for file in root.glob("segclf/*/__init__.py"))
    sizes = {f"`{folder.name}`: files, lines": size(folder) for folder in folders}
    sizes["plugins: files, lines"] = size(root / PLUGINS[0])
    sizes["core: files, lines"] = size(root / "segclf")
    return sizes


def size(folder: Path) -> str:
    files = list(folder.rglob("*.py"))
    n_lines = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)
    return f"{len(files)}, {n_lines:,}"


def doors(root: Path, trees: dict[Path, ast.Module]) -> list[str]:
    """List the functions that call what checks masks and labels."""
    found = []
    for path, tree in trees.items():
        if path.relative_to(root).as_posix().startswith(NO_DOORS):
            continue
        for function in functions_of(tree):
            called = {ast.unparse(n.func) for n in ast.walk(function) if isinstance(n, ast.Call)}
            if CHECKS & called:
                found.append(place(root, path, function))
    return found


def holders(root: Path, trees: dict[Path, ast.Module]) -> list[str]:
    """List the classes with a field of images and one of masks or labels."""
    return [
        place(root, path, node)
        for path, tree in trees.items()
        if not path.relative_to(root).as_posix().startswith(NO_DOORS[1])
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and OF_IMAGES & fields(node) and OF_MASKS & fields(node)
    ]


def fields(node: ast.ClassDef) -> set[str]:
    """Return the annotated names of a class, and those that its `__init__` sets."""
    named = {ast.unparse(n.target) for n in node.body if isinstance(n, ast.AnnAssign)}
    for function in functions_of(node):
        if function.name == "__init__":
            targets = [t for n in ast.walk(function) for t in getattr(n, "targets", [])]
            named |= {n.attr for t in targets for n in ast.walk(t) if isinstance(n, ast.Attribute)}
    return named


def inner_imports(root: Path, trees: dict[Path, ast.Module]) -> list[str]:
    """List what plugins import from below a room's own names."""
    return [
        f"{place(root, path, node)} imports {module}"
        for path, tree in trees.items()
        if path.relative_to(root).parts[0] == "plugins"
        for node in ast.walk(tree)
        for module in modules_of(node)
        if module.startswith("segclf.") and module.count(".") > 1
    ]


def modules_of(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def hidden(root: Path, trees: dict[Path, ast.Module]) -> list[str]:
    """List the modules whose name in their package means something else."""
    found = []
    for path, tree in trees.items():
        if path.name != "__init__.py":
            continue
        below = {p.stem for p in path.parent.iterdir() if p.suffix == ".py" or p.is_dir()}
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").count("."):
                bound = {alias.asname or alias.name for alias in node.names}
                found += [place(root, path.parent / f"{name}.py") for name in bound & below]
    return sorted(found)


def ndim_tests(trees: dict[Path, ast.Module]) -> list[int]:
    """Count, for each file that has any, the comparisons in which `ndim` occurs."""
    counts = [
        sum(isinstance(n, ast.Compare) and ".ndim" in ast.unparse(n) for n in ast.walk(tree))
        for tree in trees.values()
    ]
    return [count for count in counts if count]


def functions(trees: dict[Path, ast.Module]) -> dict[str, str]:
    """Measure the lines of functions, docstrings left out."""
    lengths = sorted(length(function) for tree in trees.values() for function in functions_of(tree))
    p90 = quantiles(lengths, n=10)[-1]
    return {
        "functions": f"{len(lengths):,}",
        "lines of a function: p90, longest": f"{p90:.0f}, {lengths[-1]}",
    }


def functions_of(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def length(function: ast.FunctionDef) -> int:
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    return lines - ((function.body[0].end_lineno or 0) - function.body[0].lineno + 1)


def place(root: Path, path: Path, node: ast.AST | None = None) -> str:
    line = f":{node.lineno} {getattr(node, 'name', '')}" if node is not None else ""
    return f"{path.relative_to(root)}{line}"


def run(root: Path) -> dict[str, str]:
    """Count frames and described parameters, in a process that imports the tree."""
    paths = os.pathsep.join([str(root), str(root / "plugins")])
    command = [sys.executable, "-c", RUN]
    ran = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, cwd=root
    )
    if ran.returncode:
        print(ran.stderr, file=sys.stderr)
        return {"frames from fit to loss": "failed"}
    frames, described, parameters = json.loads(ran.stdout.splitlines()[-1])
    return {
        **{f"frames from `{name}.fit` to the loss": str(n) for name, n in frames.items()},
        "parameters described in `help`": f"{described} of {parameters}",
    }


if __name__ == "__main__":
    main()
