"""XGBoost and LightGBM: how many trees, over what, for which objective."""

from __future__ import annotations

import json
from typing import Any

from .nodes import Described, Node, class_of, node


def booster(model: Any) -> Described | None:
    """A bare Booster of either library; None for anything else."""
    if type(model).__name__ != "Booster":
        return None
    library = type(model).__module__.split(".")[0]
    params = _xgboost(model) if library == "xgboost" else _lightgbm(model)
    name = "XGBoost" if library == "xgboost" else "LightGBM"
    trees = params.pop("trees")
    made = node(f"{name} Booster", class_of(model), params, members=trees)
    return Described(f"{name} Booster ({params.get('objective', 'trees')})", made)


def add_trees(model: Any, described: Node) -> Node:
    """The description of an estimator of either library with the number of its trees."""
    for attribute, count in (("get_booster", "num_boosted_rounds"), ("booster_", "num_trees")):
        try:
            found = getattr(model, attribute)
            described["members"] = int(getattr(found() if callable(found) else found, count)())
        except Exception:  # noqa: S112 - another library's estimator, or one that is not fitted
            continue
        break
    return described


def _xgboost(model: Any) -> dict[str, Any]:
    learner = json.loads(model.save_config())["learner"]
    return {
        "objective": learner.get("objective", {}).get("name"),
        "booster": learner.get("gradient_booster", {}).get("name"),
        "features": model.num_features(),
        "trees": model.num_boosted_rounds(),
    }


def _lightgbm(model: Any) -> dict[str, Any]:
    params = getattr(model, "params", None) or {}
    return {
        "objective": params.get("objective"),
        "boosting": params.get("boosting"),
        "num_leaves": params.get("num_leaves"),
        "learning_rate": params.get("learning_rate"),
        "features": model.num_feature(),
        "trees": model.num_trees(),
    }
