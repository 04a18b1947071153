"""The trees of scikit-learn as arrays, with checks that traversing them stays in bounds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble._forest import BaseForest
from sklearn.ensemble._gb import BaseGradientBoosting
from sklearn.tree._tree import Tree


def tree_as_values(tree: Tree) -> dict[str, Any]:
    """Return the arrays of a tree and the arguments of its constructor."""
    _, (n_features, n_classes, n_outputs), state = tree.__reduce__()
    sizes = {"n_features": n_features, "n_classes": n_classes, "n_outputs": n_outputs}
    return {**sizes, "max_depth": state["max_depth"], "nodes": state["nodes"],
            "values": state["values"]}  # fmt: skip


def tree_of_values(written: dict[str, Any]) -> Tree:
    """Rebuild a tree.

    Raises
    ------
    ValueError
        If the arrays do not form a tree.
    """
    nodes = written["nodes"]
    inner = nodes["left_child"] != -1
    _check_children(nodes["left_child"], nodes["right_child"], inner)
    _check_below(nodes["feature"][inner], written["n_features"])
    sizes = (written[name] for name in ("n_features", "n_classes", "n_outputs"))
    tree = Tree(*sizes)
    tree.__setstate__(
        {
            "max_depth": written["max_depth"],
            "node_count": len(nodes),
            "nodes": nodes,
            "values": written["values"],
        }
    )
    return tree


def check_trees(estimator: Any) -> None:
    """Refuse an estimator whose trees use features that it does not have.

    Raises
    ------
    ValueError
        If a tree does. scikit-learn's compiled code would read beyond the input.
    """
    if isinstance(estimator, BaseForest | BaseGradientBoosting):
        trees = list(np.ravel(getattr(estimator, "estimators_", [])))
    else:
        trees = [estimator] * hasattr(estimator, "tree_")
    for each in trees:
        if each.tree_.n_features != estimator.n_features_in_:
            raise ValueError(
                f"A tree with {each.tree_.n_features} features in a {type(estimator).__name__} "
                f"with {estimator.n_features_in_}."
            )
    for predictors in getattr(estimator, "_predictors", []):
        for predictor in predictors:
            _check_predictor(predictor, estimator._n_features)


def _check_predictor(predictor: Any, n_features: int) -> None:
    """Check a tree of histogram gradient boosting."""
    nodes = predictor.nodes
    inner = nodes["is_leaf"] == 0
    _check_children(nodes["left"], nodes["right"], inner)
    _check_below(nodes["feature_idx"][inner], n_features)
    categorical = inner & (nodes["is_categorical"] != 0)
    _check_below(nodes["bitset_idx"][categorical], len(predictor.raw_left_cat_bitsets))


def _check_children(left: NDArray[Any], right: NDArray[Any], inner: NDArray[np.bool_]) -> None:
    """Check that children come after their parents, so that each path ends at a leaf."""
    parents = np.flatnonzero(inner)
    for children in (left[inner].astype(np.int64), right[inner].astype(np.int64)):
        if not len(left) or (children <= parents).any() or (children >= len(left)).any():
            raise ValueError("The nodes do not form a tree.")


def _check_below(indices: NDArray[Any], end: int) -> None:
    indices = indices.astype(np.int64)
    if (indices < 0).any() or (indices >= end).any():
        raise ValueError(f"A node of a tree points to {indices.max(initial=0)} of {end}.")
