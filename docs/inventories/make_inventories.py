"""Write inventories of the names in other projects' documentation that our docstrings link to.

Builds then need no network. Sphinx reads such inventories from files (the format of
``objects.inv``, version 2). A complete one has about 50 kB and changes with each release; our
docstrings need the few dozen names below. To add one, add its line and run this script; `$` in an
address stands for the name.
"""

import zlib
from pathlib import Path

HEADER = """\
# Sphinx inventory version 2
# Project: {}
# Version: stable
# The remainder of this file is compressed using zlib.
"""
SKLEARN = "modules/generated/$.html#$"
NAMES = {
    "numpy": [
        ("py:class", "reference/generated/$.html#$", "numpy.ndarray numpy.dtype numpy.memmap"),
        ("py:class", "reference/random/legacy.html#$", "numpy.random.RandomState"),
        ("py:class", "reference/random/generator.html#$", "numpy.random.Generator"),
        ("std:term", "glossary.html#term-array-like", "array_like"),
    ],
    "python": [
        ("py:class", "library/functions.html#$", "bool float int object"),
        ("py:class", "library/stdtypes.html#$", "bytes dict list range set str tuple"),
        ("py:data", "library/constants.html#$", "None True False"),
        ("py:exception", "library/exceptions.html#$", "ValueError TypeError OSError ImportError"),
        ("py:exception", "library/exceptions.html#$", "RuntimeError KeyError UserWarning"),
        ("py:exception", "library/exceptions.html#$", "MemoryError FileNotFoundError"),
        ("py:exception", "library/exceptions.html#$", "KeyboardInterrupt FloatingPointError"),
        ("py:class", "library/pathlib.html#$", "pathlib.Path"),
        ("py:class", "library/datetime.html#$", "datetime.date"),
        ("py:function", "library/functools.html#$", "functools.partial"),
        ("py:function", "library/functions.html#$", "callable"),
        ("std:label", "library/stdtypes.html#boolean-type-bool", "bltin-boolean-values"),
        ("std:term", "glossary.html#term-$", "iterable iterator sequence mapping"),
    ],
    "sklearn": [
        ("py:class", SKLEARN, "sklearn.base.BaseEstimator sklearn.pipeline.Pipeline"),
        ("py:class", SKLEARN, "sklearn.utils.Bunch sklearn.frozen.FrozenEstimator"),
        ("py:class", SKLEARN, "sklearn.model_selection.GridSearchCV"),
        ("py:class", SKLEARN, "sklearn.linear_model.LogisticRegression"),
        ("py:class", SKLEARN, "sklearn.utils.metadata_routing.MetadataRequest"),
        ("py:function", SKLEARN, "sklearn.set_config sklearn.config_context sklearn.base.clone"),
        ("py:function", SKLEARN, "sklearn.model_selection.cross_validate"),
        ("py:function", SKLEARN, "sklearn.metrics.roc_auc_score sklearn.metrics.make_scorer"),
        ("std:label", "metadata_routing.html#metadata-routing", "metadata_routing"),
        (
            "std:label",
            "modules/df_output_transform.html#df-output-transform",
            "df_output_transform",
        ),
        ("std:label", "modules/model_evaluation.html#accuracy-score", "accuracy_score"),
        (
            "std:label",
            "auto_examples/miscellaneous/plot_set_output.html",
            "sphx_glr_auto_examples_miscellaneous_plot_set_output.py",
        ),
        ("std:term", "glossary.html#term-$", "meta-estimator estimator transformer"),
    ],
    "torch": [
        ("py:class", "tensors.html#$", "torch.Tensor"),
        ("py:class", "tensor_attributes.html#$", "torch.device torch.dtype"),
        ("py:class", "generated/$.html#$", "torch.Generator torch.nn.Module"),
        ("py:class", "optim.html#$", "torch.optim.Optimizer"),
    ],
}


def main() -> None:
    for project in NAMES:
        packed = zlib.compress("".join(lines(project)).encode(), level=9)
        path = Path(__file__).with_name(f"{project}.inv")
        path.write_bytes(HEADER.format(project).encode() + packed)


def lines(project: str) -> list[str]:
    """The lines of a project's inventory, a name each."""
    return [
        f"{name} {role} 1 {address} {'User Guide' if role == 'std:label' else '-'}\n"
        for role, address, names in NAMES[project]
        for name in names.split()
    ]


def read(inventory: bytes) -> list[str]:
    """The lines of an inventory; how they are packed depends on the version of zlib."""
    packed = inventory.split(b"\n", HEADER.count("\n"))[-1]
    return zlib.decompress(packed).decode().splitlines(keepends=True)


if __name__ == "__main__":
    main()
