"""What both flavours do when they save a model."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


class FlavorError(Exception):
    """The model cannot be saved or loaded; the message says why and what to do."""


def requirements(*names: str) -> list[str]:
    """Pins of those of the distributions that are installed here, mlflow always among them."""
    mlflow = "mlflow-skinny" if _version("mlflow-skinny") else "mlflow"
    found = {name: _version(name) for name in (mlflow, *names)}
    return [f"{name}=={version}" for name, version in found.items() if version]


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def save(
    path: str | Path,
    *,
    flavor: str,
    loader_module: str,
    data: Path,
    conf: dict[str, Any],
    mlflow_model: Any,
    signature: Any,
    input_example: Any,
    pip_requirements: Sequence[str],
    metadata: dict[str, Any] | None,
    code_paths: Sequence[str] | None = None,
) -> None:
    """Write the model's folder through mlflow's own `pyfunc.save_model`; `data` is copied to `data/<its name>`."""
    import mlflow.pyfunc
    from mlflow.models import Model

    model = Model() if mlflow_model is None else mlflow_model
    model.add_flavor(flavor, **{**conf, "data": f"data/{data.name}"})
    mlflow.pyfunc.save_model(
        str(path),
        loader_module=loader_module,
        data_path=str(data),
        code_paths=None if code_paths is None else list(code_paths),
        mlflow_model=model,
        signature=signature,
        input_example=input_example,
        pip_requirements=list(pip_requirements),
        metadata=metadata,
    )


def log(
    flavor_module: Any,
    *,
    name: str,
    registered_model_name: str | None,
    arguments: dict[str, Any],
) -> Any:
    """Log by mlflow's own `Model.log`, which calls `flavor_module.save_model(path=, mlflow_model=, **arguments)`."""
    from mlflow.models import Model

    return Model.log(
        artifact_path=None, name=name, flavor=flavor_module, registered_model_name=registered_model_name, **arguments
    )


def signature_of(example: Any, predict: Callable[[Any], Any]) -> Any:
    """mlflow's signature of what the example holds and what `predict` makes of it."""
    from mlflow.models import infer_signature

    return infer_signature(example, predict(example))
