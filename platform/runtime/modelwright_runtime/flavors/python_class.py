"""A class of a project as an MLflow model.

The class is made without arguments, `load(directory)` is called once with the folder that holds its artifacts, and
`predict(data)` for each batch: with a DataFrame where the signature names columns, with an array or a dict of arrays
where it names tensors. It returns one item per row: an array, a list, a Series, a DataFrame or a dict of arrays.

    from modelwright_runtime.flavors import python_class
    python_class.log_model(Scorer, name="model", artifacts="weights/", input_example=table.head(3))
"""

from __future__ import annotations

import importlib
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import saving
from .saving import FlavorError

FLAVOR = "python_class"
_NAME = "python_class.json"

PathLike = str | Path


def log_model(
    python_class: type,
    name: str = "model",
    *,
    registered_model_name: str | None = None,
    artifacts: PathLike | Mapping[str, PathLike] | None = None,
    code_paths: Sequence[PathLike] | None = None,
    signature: Any = None,
    input_example: Any = None,
    pip_requirements: Sequence[str] | None = None,
    metadata: dict[str, Any] | None = None,
) -> Any:
    """Log the class with its code and artifacts in the active run; mlflow's ModelInfo. Raises `FlavorError`.

    `artifacts` is a folder, whose contents the class finds in its own, a file, or a dict of names and paths.
    `code_paths` are files and packages to take along, by default the module or package that holds the class.
    """
    arguments = {
        "python_class": python_class,
        "artifacts": artifacts,
        "code_paths": code_paths,
        "signature": signature,
        "input_example": input_example,
        "pip_requirements": pip_requirements,
        "metadata": metadata,
    }
    return saving.log(
        sys.modules[__name__], name=name, registered_model_name=registered_model_name, arguments=arguments
    )


def save_model(
    path: PathLike,
    python_class: type,
    *,
    artifacts: PathLike | Mapping[str, PathLike] | None = None,
    code_paths: Sequence[PathLike] | None = None,
    signature: Any = None,
    input_example: Any = None,
    pip_requirements: Sequence[str] | None = None,
    metadata: dict[str, Any] | None = None,
    mlflow_model: Any = None,
) -> None:
    """Write the model's folder. With an example and no signature, the class is loaded and asked once to infer one."""
    reference = _reference(python_class)
    code = [str(Path(each).resolve()) for each in code_paths or [_home(python_class)]]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, FLAVOR)
        data.mkdir()
        _gather(artifacts, data)
        (data / _NAME).write_text(json.dumps({"class": reference}))
        if signature is None and input_example is not None:
            signature = saving.signature_of(input_example, _started(python_class, data).predict)
        saving.save(
            path,
            flavor=FLAVOR,
            loader_module=__name__,
            data=data,
            conf={"class": reference, "code": "code"},
            mlflow_model=mlflow_model,
            signature=signature,
            input_example=input_example,
            pip_requirements=pip_requirements or saving.requirements("numpy", "pandas"),
            metadata=metadata,
            code_paths=code,
        )


class Wrapped:
    """What mlflow asks: the class's instance behind mlflow's own form of `predict`."""

    def __init__(self, instance: Any) -> None:
        self._instance = instance

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """What the class returns; it knows no parameters."""
        return self._instance.predict(data)

    def get_raw_model(self) -> Any:
        """The instance of the project's class."""
        return self._instance


def _load_pyfunc(path: str) -> Wrapped:
    """Called by mlflow with the path of the model's data, after it put the model's code on the path."""
    directory = Path(path)
    module, _, name = json.loads((directory / _NAME).read_text())["class"].partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise FlavorError(
            f"the class {name} of {module} cannot be imported: {error}; "
            "give log_model all modules that it needs as code_paths, and packages in the project's requirements"
        ) from error
    return Wrapped(_started(found, directory))


def _started(python_class: Any, directory: Path) -> Any:
    instance = python_class()
    instance.load(directory)
    return instance


def _reference(python_class: Any) -> str:
    if not isinstance(python_class, type):
        raise FlavorError(f"log_model takes a class, not {type(python_class).__name__}; give the class itself")
    name = python_class.__qualname__
    for method in ("load", "predict"):
        if not callable(getattr(python_class, method, None)):
            raise FlavorError(
                f"the class {name} has no {method}(); write load(self, directory) and predict(self, data)"
            )
    if python_class.__module__ == "__main__" or "<locals>" in name:
        raise FlavorError(
            f"the class {name} lives in the program that runs, where a replica cannot import it; "
            "move it into a module of the project and import it from there"
        )
    return f"{python_class.__module__}:{name}"


def _home(python_class: type) -> Path:
    """The file or the folder of the top-level module that holds the class."""
    top = sys.modules[python_class.__module__.partition(".")[0]]
    if top.__file__ is None:
        raise FlavorError(f"{top.__name__} has no single folder; say with code_paths which code the class needs")
    file = Path(top.__file__)
    return file.parent if file.name == "__init__.py" else file


def _gather(artifacts: PathLike | Mapping[str, PathLike] | None, target: Path) -> None:
    if artifacts is None:
        return
    given = artifacts if isinstance(artifacts, Mapping) else {"": artifacts}
    for name, source in ((name, Path(path)) for name, path in given.items()):
        if not source.exists():
            raise FlavorError(f"the artifact {source} does not exist; write it before the model is logged")
        place = target / name
        if target.resolve() not in [place.resolve(), *place.resolve().parents]:
            raise FlavorError(f"the artifact's name {name!r} leads out of the model; use a plain name")
        if source.is_dir():
            shutil.copytree(source, place, dirs_exist_ok=True)
        else:
            place = place if name else place / source.name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)
