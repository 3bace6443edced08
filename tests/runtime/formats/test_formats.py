"""A real model of each format in a real model server, answering what its own library says."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from modelwright_runtime.server import frames

from models.registry.mlmodel import parse
from tests.gateway.processes import Process
from tests.runtime.connection import Client
from tests.runtime.formats import environments

# The first test of an environment builds it.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SERVED = [
    ("tables", "xgboost_classifier"),
    ("tables", "lightgbm_classifier"),
    ("tables", "onnx_images"),
    ("tables", "pmml_regression"),
    ("tables", "class_table"),
    ("tensors", "keras_images"),
]
# The models of each environment, and how an inspection sums them up.
MODELS = {
    "tables": {
        "xgboost_classifier": "XGBClassifier",
        "xgboost_booster": "XGBoost Booster (binary:logistic)",
        "lightgbm_classifier": "LGBMClassifier",
        "lightgbm_booster": "LightGBM Booster (regression)",
        "onnx_matrix": "ONNX (TreeEnsembleClassifier)",
        "onnx_columns": "ONNX (OneHotEncoder, Scaler, LinearClassifier, Normalizer)",
        "onnx_images": "ONNX (Gemm, Softmax)",
        "onnx_batch_of_4": "ONNX (Gemm, Softmax)",
        "pmml_regression": "PMML RegressionModel",
        "pmml_forest": "PMML MiningModel of TreeModel ×10",
        "pyfunc_outputs": "Shares",
        "class_table": "Points",
        "class_images": "Brightness",
    },
    "tensors": {
        "keras_images": "Sequential network (Reshape, Conv2D, Flatten, Dropout and 1 more)",
        "keras_outputs": "Functional network (Dense ×3, Concatenate)",
        "saved_model": "TensorFlow SavedModel",
    },
}

# What models answer in which way, without a socket: one process for all models of an environment.
ASKED = """
import json, sys
from pathlib import Path
from modelwright_runtime import inspect
from modelwright_runtime.server import loading
for path in sys.argv[1:]:
    case = json.loads(Path(path + ".json").read_text())
    model = loading.load(Path(path))
    outcome = model.predict(case["columns"], case["rows"])
    answer = outcome.part(0, len(case["rows"]))
    one_by_one = [model.predict(case["columns"], [row]).predictions[0] for row in case["rows"]]
    inspected = inspect.inspect(Path(path))
    print(json.dumps({"answer": answer, "one_by_one": one_by_one, "inspected": inspected}))
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name."""
    path = Path(tempfile.mkdtemp(prefix="mwf-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


class Server(Process):
    """A replica of one model in its own environment."""

    def __init__(self, directory: Path, environment: str, model: Path) -> None:
        self.socket = directory / "s.sock"
        command = [environments.python(environment), "-m", "modelwright_runtime.server", "--socket", str(self.socket)]
        path = str(environments.RUNTIME)
        super().__init__([*command, "--model", str(model)], directory / "log", OMP_NUM_THREADS="1", PYTHONPATH=path)


def case(environment: str, name: str) -> Any:
    """Rows, what the library says of them, and a row that is wrong."""
    return json.loads(environments.model(environment, name).with_suffix(".json").read_text())


def alike(got: Any, expected: Any) -> bool:
    """Whether two answers are equal, but for the rounding of 32-bit numbers."""
    if isinstance(expected, dict):
        return got.keys() == expected.keys() and all(alike(got[name], expected[name]) for name in expected)
    if isinstance(expected, list):
        return len(got) == len(expected) and all(map(alike, got, expected))
    if isinstance(expected, float):
        return bool(got == pytest.approx(expected, rel=1e-4, abs=1e-5))
    return bool(got == expected)


def asked(environment: str, names: list[str]) -> dict[str, Any]:
    """What models of one environment answer, by name. Fails when one is not computed in the short way."""
    result = subprocess.run(
        [environments.python(environment), "-W", "ignore", "-c", ASKED]
        + [str(environments.model(environment, name)) for name in names],
        env=environments.variables() | {"PYTHONPATH": str(environments.RUNTIME)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "keeping mlflow's" not in result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith('{"answer"')]
    return dict(zip(names, lines, strict=True))


def served(directory: Path, environment: str, name: str, expected: Any) -> None:
    """Ask a real model server, then send it what is wrong, then ask again."""
    server = Server(directory, environment, environments.model(environment, name))
    try:
        server.wait_for_line("INFO ready", seconds=600)
        with Client(server.socket, expected["columns"]) as client:
            kind, answer = client.predict(*expected["rows"])
            assert kind == frames.ANSWER, answer
            assert alike(answer, expected["answer"]), answer
            kind, error = client.predict(expected["wrong"])
            assert (kind, error["code"]) == (frames.ERROR, "model_error"), error
            assert error["message"]
            assert client.predict(expected["rows"][0])[0] == frames.ANSWER
        assert "keeping mlflow's" not in server.text()
    finally:
        server.stop(signal.SIGKILL)


@pytest.mark.parametrize(("environment", "name"), SERVED)
def test_a_model_server_answers_as_the_library_does_and_lives_through_wrong_input(
    directory: Path, environment: str, name: str
) -> None:
    served(directory, environment, name, case(environment, name))


@pytest.mark.parametrize("environment", MODELS)
def test_every_model_answers_as_the_library_does_alone_and_in_a_batch_and_is_described(environment: str) -> None:
    summaries = MODELS[environment]
    for name, got in asked(environment, list(summaries)).items():
        expected = case(environment, name)
        described = parse((environments.model(environment, name) / "MLmodel").read_bytes())
        assert alike(got["answer"], expected["answer"]), (name, got)
        assert alike(got["one_by_one"], expected["answer"]["predictions"]), (name, got)
        assert got["inspected"]["summary"] == summaries[name]
        assert (got["inspected"]["flavor"], bool(described.signature)) == (described.flavor, True)


def test_a_spark_pipeline_is_served_where_java_is(directory: Path) -> None:
    if not environments.has_java():
        pytest.skip("NOT TESTED: Spark ML needs Java, and there is none on this machine; install a JDK 17 to test it")
    served(directory, "spark", "spark_classifier", case("spark", "spark_classifier"))
