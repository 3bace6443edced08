"""The environment that model servers run in, and the models in it: built by uv once, kept between test sessions."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

REQUIREMENTS = ("scikit-learn==1.9.1", "pandas==3.1.1", "mlflow-skinny==3.17.2", "orjson==3.11.4")
TRAINING = Path(__file__).with_name("train_models.py")
RUNTIME = Path(__file__).resolve().parents[2] / "platform" / "runtime"


@functools.cache
def model_environment() -> Path:
    """Folder with `bin/python` and a folder below `models` for each of `train_models.py`; it takes a minute."""
    text = "\n".join(REQUIREMENTS) + TRAINING.read_text()
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    directory = Path(tempfile.gettempdir()) / f"modelwright-test-models-{os.getuid()}-{digest}"
    directory.mkdir(mode=0o700, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "ready").exists():
            _build(directory)
            (directory / "ready").touch()
    return directory


def python() -> str:
    """The interpreter of the environment."""
    return str(model_environment() / "bin" / "python")


def model(name: str) -> Path:
    """The MLflow model directory of that name."""
    return model_environment() / "models" / name


def _build(directory: Path) -> None:
    def run(*command: str) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "GIT_PYTHON_REFRESH": "quiet"}
        environment.pop("VIRTUAL_ENV", None)
        subprocess.run(command, check=True, capture_output=True, env=environment, timeout=280)

    interpreter = str(directory / "bin" / "python")
    run("uv", "venv", "--allow-existing", "--python", "3.11", str(directory))
    run("uv", "pip", "install", "--python", interpreter, *REQUIREMENTS)
    run("rm", "-rf", str(directory / "models"))
    run(interpreter, str(TRAINING), str(directory / "models"))
