"""The environments that models of each format are trained and served in, built by uv once and kept between sessions."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
RUNTIME = HERE.parents[2] / "platform" / "runtime"
_COMMON = ("pandas==3.1.1", "mlflow-skinny==3.17.2", "orjson==3.11.4")
_REQUIREMENTS = {
    "tables": (
        *_COMMON, "scikit-learn==1.9.1", "xgboost-cpu==3.2.0", "lightgbm==4.7.0",
        "onnx==1.23.2", "onnxruntime==1.32.0", "skl2onnx==1.20.0", "uvloop==0.23.0",
    ),
    "tensors": (*_COMMON, "scipy==1.17.1", "tensorflow-cpu==2.21.0", "keras==3.15.1"),
    "spark": (*_COMMON, "pyspark==4.3.0"),
}  # fmt: skip


def has_java() -> bool:
    """Whether Spark can be started here."""
    return shutil.which("java") is not None or bool(os.environ.get("JAVA_HOME"))


@functools.cache
def environment(name: str) -> Path:
    """Folder with `bin/python` and `models/<model>`, trained by `train_<name>.py`; building it takes a minute."""
    program = HERE / f"train_{name}.py"
    text = "\n".join([*_REQUIREMENTS[name], *(file.read_text() for file in _sources(program))])
    directory = Path(tempfile.gettempdir()) / f"modelwright-test-{name}-{os.getuid()}-{_digest(_REQUIREMENTS[name])}"
    directory.mkdir(mode=0o700, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = directory / "ready"
        if not ready.exists():
            _run("uv", "venv", "--allow-existing", "--python", "3.11", str(directory))
            _run("uv", "pip", "install", "--python", str(directory / "bin" / "python"), *_REQUIREMENTS[name])
            ready.touch()
        trained = directory / f"models-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        if not trained.exists():
            for old in directory.glob("models-*"):
                shutil.rmtree(old)
            half = directory / "half"
            shutil.rmtree(half, ignore_errors=True)
            _run(str(directory / "bin" / "python"), str(program), str(half))
            half.rename(trained)
    return directory


def python(name: str) -> str:
    """The interpreter of an environment."""
    return str(environment(name) / "bin" / "python")


def model(name: str, model_name: str) -> Path:
    """The MLflow model directory of that name."""
    return next(environment(name).glob("models-*")) / model_name


def variables() -> dict[str, str]:
    """What a process in one of these environments finds in its own."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "JAVA_HOME") if key in os.environ}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join([str(RUNTIME), str(HERE / "project")]),
        "OMP_NUM_THREADS": "1",
        "GIT_PYTHON_REFRESH": "quiet",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def _sources(program: Path) -> list[Path]:
    """What decides how the models come out; only those for tables are logged by flavours of our own."""
    if program.name != "train_tables.py":
        return [program, HERE / "training.py"]
    flavors, project = RUNTIME / "modelwright_runtime" / "flavors", HERE / "project"
    return [
        program,
        HERE / "training.py",
        HERE / "pmml_writer.py",
        *sorted(flavors.rglob("*.py")),
        *sorted(project.rglob("*.py")),
    ]


def _digest(requirements: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:16]


def _run(*command: str) -> None:
    environment = {**os.environ, **variables()} if command[0] != "uv" else dict(os.environ)
    environment.pop("VIRTUAL_ENV", None)
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=False)
    assert result.returncode == 0, f"{command[:3]}: {result.stderr[-3000:]}"
