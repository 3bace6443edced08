"""Tree ensembles, with thresholds and leaves in double precision: a row takes the same branch as in the original."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .graph import ML, Graph

LEQ, LT = 0, 1


@dataclass
class Forest:
    """Trees as TreeEnsemble (ai.onnx.ml 5) wants them. A leaf adds one weight to one target."""

    mode: int = LEQ
    roots: list[int] = field(default_factory=list)
    features: list[int] = field(default_factory=list)
    splits: list[float] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    true: list[tuple[int, int]] = field(default_factory=list)
    false: list[tuple[int, int]] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def leaf(self, target: int, weight: float) -> tuple[int, int]:
        """A leaf, as a branch may lead to it."""
        self.targets.append(target)
        self.weights.append(float(weight))
        return len(self.weights) - 1, 1

    def split(self, feature: int, threshold: float, *, missing_is_true: bool) -> int:
        """A node whose branches are set later; its number."""
        self.features.append(int(feature))
        self.splits.append(float(threshold))
        self.missing.append(int(missing_is_true))
        self.true.append((0, 1))
        self.false.append((0, 1))
        return len(self.features) - 1

    def root(self, node: tuple[int, int]) -> None:
        """Add the tree that begins with this node; one that is a single leaf gets a node above it."""
        number, is_leaf = node
        if is_leaf:
            leaf, number = number, self.split(0, 0.0, missing_is_true=True)
            self.true[number] = self.false[number] = (leaf, 1)
        self.roots.append(number)

    def add_to(self, graph: Graph, value: str, targets: int) -> str:
        """The sums of the leaves that each row falls into, one column per target."""
        import onnx

        numpy = graph.numpy
        graph.needs_trees()
        for feature, split in zip(self.features, self.splits, strict=True):
            graph.edge(value, feature, split)

        def tensor(name: str, values: Sequence[Any], dtype: str) -> Any:
            return onnx.numpy_helper.from_array(numpy.asarray(values, dtype=dtype), name)

        return graph.add(
            "TreeEnsemble",
            value,
            width=targets,
            domain=ML,
            n_targets=targets,
            aggregate_function=1,
            post_transform=0,
            tree_roots=self.roots,
            nodes_featureids=self.features,
            nodes_splits=tensor("splits", self.splits, "float64"),
            nodes_modes=tensor("modes", [self.mode] * len(self.features), "uint8"),
            nodes_missing_value_tracks_true=self.missing,
            nodes_truenodeids=[branch[0] for branch in self.true],
            nodes_trueleafs=[branch[1] for branch in self.true],
            nodes_falsenodeids=[branch[0] for branch in self.false],
            nodes_falseleafs=[branch[1] for branch in self.false],
            leaf_targetids=self.targets,
            leaf_weights=tensor("weights", self.weights, "float64"),
        )


def grow(forest: Forest, tree: Any, target: int, weight_of: Any) -> None:
    """Add a fitted `sklearn.tree._tree.Tree`; `weight_of(node)` is what its leaf adds to the target."""
    left, right, features, thresholds = tree.children_left, tree.children_right, tree.feature, tree.threshold
    goes_left = getattr(tree, "missing_go_to_left", None)
    made: dict[int, tuple[int, int]] = {}
    for node in range(tree.node_count):
        if left[node] == -1:
            made[node] = forest.leaf(target, weight_of(node))
        else:
            missing = bool(goes_left[node]) if goes_left is not None else False
            made[node] = forest.split(features[node], thresholds[node], missing_is_true=missing), 0
    for node in range(tree.node_count):
        if left[node] != -1:
            forest.true[made[node][0]] = made[left[node]]
            forest.false[made[node][0]] = made[right[node]]
    forest.root(made[0])


def leaf_means(graph: Graph, value: str, trees: Sequence[Any], tables: Sequence[Any]) -> str:
    """The mean over the trees of a row of each tree's table: class probabilities, or values of a regression.

    Each tree is walked once, whatever the number of classes: it says which leaf, and the table is looked up.
    """
    numpy = graph.numpy
    forest, start = Forest(), 0
    for number, tree in enumerate(trees):
        first = start
        grow(forest, tree, number, lambda node, first=first: first + node)
        start += tree.node_count
    leaves = graph.whole(forest.add_to(graph, graph.rounded(value), len(trees)))
    table = numpy.concatenate([numpy.asarray(each, dtype="float64") for each in tables])
    looked_up = graph.add("Gather", graph.constant(table), leaves, width=len(trees), axis=0)
    axis = graph.constant([1], "int64")
    total = graph.add("ReduceSum", looked_up, axis, width=table.shape[1], keepdims=0)
    return (
        total if len(trees) == 1 else graph.add("Div", total, graph.constant(float(len(trees))), width=table.shape[1])
    )
