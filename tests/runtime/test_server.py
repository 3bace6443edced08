"""The model server as a process, with real models in an environment of their own."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from modelwright_runtime.server import frames

from tests.gateway import environment
from tests.gateway.processes import RECORD, ModelServer, wait_for
from tests.runtime.connection import Client

pytestmark = pytest.mark.slow

COLUMNS = list(RECORD)
ROW = list(RECORD.values())
StartServer = Callable[..., ModelServer]


@pytest.fixture
def directory() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name."""
    path = Path(tempfile.mkdtemp(prefix="mws-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def start_server(directory: Path) -> Iterator[StartServer]:
    """Starts a model server: `start_server("one")`."""
    servers: list[ModelServer] = []

    def start(model: str, name: str = "", *options: str) -> ModelServer:
        servers.append(ModelServer(directory, model, name, *options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop(signal.SIGKILL)


def evaluated(expression: str) -> Any:
    """What an expression gives in the model environment, with `model(name)` loading a pyfunc and `frame` the record."""
    code = f"""
import json, mlflow.pyfunc, pandas
frame = pandas.DataFrame([{RECORD!r}, {dict(RECORD, malic_acid=None)!r}])
frame["malic_acid"] = frame["malic_acid"].astype(float)
def model(name):
    return mlflow.pyfunc.load_model({str(environment.model_environment() / "models")!r} + "/" + name)
print(json.dumps({expression}))
"""
    command = [environment.python(), "-W", "ignore", "-c", code]
    result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return json.loads(result.stdout.splitlines()[-1])


ROWS = [ROW, [13.2, None, 1050, "light", "north"]]


def test_a_classifier_answers_what_mlflow_predicts_and_its_probabilities(start_server: StartServer) -> None:
    server = start_server("one").ready()
    with Client(server.socket, COLUMNS) as client:
        kind, answer = client.predict(*ROWS)
    assert kind == frames.ANSWER
    assert answer["predictions"] == evaluated('model("one").predict(frame).tolist()')
    assert answer["classes"] == ["one:0", "one:1", "one:2"]
    expected = evaluated('model("one").get_raw_model().predict_proba(frame).tolist()')
    for got, wanted in zip(answer["probabilities"], expected, strict=True):
        assert got == pytest.approx(wanted)


def test_a_regressor_answers_predictions_alone(start_server: StartServer) -> None:
    server = start_server("regressor").ready()
    with Client(server.socket, COLUMNS) as client:
        kind, answer = client.predict(*ROWS)
    assert (kind, list(answer)) == (frames.ANSWER, ["predictions"])
    assert answer["predictions"] == pytest.approx(evaluated('model("regressor").predict(frame).tolist()'))


def test_the_search_for_cycles_leaves_out_what_loading_brought(start_server: StartServer) -> None:
    server = start_server("frozen").ready()
    with Client(server.socket, ["a"]) as client:
        kind, answer = client.predict([1])
    assert kind == frames.ANSWER
    assert answer["predictions"][0] > 50_000


def test_a_model_of_ones_own_that_returns_a_table_answers_one_mapping_per_row(start_server: StartServer) -> None:
    server = start_server("table").ready()
    with Client(server.socket, COLUMNS) as client:
        answer = client.predict([1.5, "a"], [2, "b"], columns=["x", "t"])
    assert answer == (frames.ANSWER, {"predictions": [{"double": 3.0, "text": "A"}, {"double": 4.0, "text": "B"}]})


def test_a_ping_is_answered_even_while_a_prediction_runs(start_server: StartServer) -> None:
    server = start_server("moody").ready()
    with Client(server.socket) as busy, Client(server.socket) as client:
        assert client.ask(frames.PING, {})[1]["version_id"] == "moody"
        busy.send(frames.PREDICT, {"columns": COLUMNS, "rows": [[-2, *ROW[1:]]]})
        wait_for(lambda: client.ask(frames.PING, {})[1]["busy_seconds"] > 0.1)
        answer = busy.receive()
        assert answer is not None
        assert answer.kind == frames.ANSWER


def test_what_goes_wrong_is_an_error_frame_and_the_process_lives(start_server: StartServer) -> None:
    server = start_server("moody").ready()
    with Client(server.socket, COLUMNS) as client:
        for kind, payload, code in (
            (frames.PREDICT, {"columns": COLUMNS, "rows": [[-1, *ROW[1:]]]}, "model_error"),
            (frames.PREDICT, {"columns": COLUMNS, "rows": [[-4, *ROW[1:]]]}, "model_error"),
            (frames.PREDICT, {"columns": ["alcohol"], "rows": [[1]]}, "model_error"),
            (frames.PREDICT, {"columns": COLUMNS, "rows": [["text", *ROW[1:]]]}, "model_error"),
            (frames.PREDICT, {"columns": COLUMNS, "rows": [ROW[1:]]}, "bad_frame"),
            (frames.PREDICT, {"columns": COLUMNS, "rows": []}, "bad_frame"),
            (frames.PREDICT, {"rows": [ROW]}, "bad_frame"),
            (frames.PREDICT, b"{", "bad_frame"),
            (77, {}, "bad_frame"),
        ):
            answered, error = client.ask(kind, payload)
            assert (answered, error["code"]) == (frames.ERROR, code)
            assert error["message"]
        assert client.predict(ROW)[0] == frames.ANSWER


def test_a_stream_that_is_none_of_frames_only_ends_its_own_connection(start_server: StartServer) -> None:
    server = start_server("one").ready()
    with Client(server.socket, COLUMNS) as good, Client(server.socket) as bad:
        bad.socket.sendall(b"GET / HTTP/1.1\r\n\r\n" + bytes(64))
        assert bad.receive() is None
        assert good.predict(ROW)[0] == frames.ANSWER


def test_a_stopped_server_finishes_what_it_has_begun(start_server: StartServer) -> None:
    server = start_server("moody").ready()
    with Client(server.socket, COLUMNS) as client, Client(server.socket) as watch:
        client.send(frames.PREDICT, {"columns": COLUMNS, "rows": [[-2, *ROW[1:]]]})
        wait_for(lambda: watch.ask(frames.PING, {})[1]["busy_seconds"] > 0)
        server.popen.send_signal(signal.SIGTERM)
        wait_for(lambda: not server.socket.exists())
        frame = client.receive()
        assert frame is not None
        assert frame.kind == frames.ANSWER
        assert client.receive() is None
    assert server.popen.wait(60) == 0


def test_the_socket_appears_only_when_the_model_is_warm_and_only_for_its_user(start_server: StartServer) -> None:
    server = start_server("one")
    wait_for(server.socket.exists)
    with Client(server.socket, COLUMNS) as client:
        began = time.monotonic()
        assert client.predict(ROW)[0] == frames.ANSWER
        assert time.monotonic() - began < 5
    assert server.socket.stat().st_mode & 0o777 == 0o600


def test_a_socket_left_by_a_killed_server_is_taken_over_and_a_live_one_is_not(start_server: StartServer) -> None:
    start_server("one", "same").ready().stop(signal.SIGKILL)
    server = start_server("one", "same")
    server.wait_for_line(r"(?s)INFO ready.*INFO ready")
    second = start_server("two", "same")
    assert second.popen.wait(90) == 4
    assert "another model server answers" in second.text()
    assert server.popen.poll() is None


def test_a_socket_path_that_is_too_long_is_refused_in_words(directory: Path) -> None:
    deep = directory / ("d" * 120)
    deep.mkdir()
    server = ModelServer(deep, "one")
    assert server.popen.wait(90) == 4
    assert "107" in server.text()
    assert "shorter path" in server.text()


@pytest.mark.parametrize("content", [None, "no yaml: ["])
def test_a_model_that_cannot_be_loaded_is_refused_in_words(directory: Path, content: str | None) -> None:
    if content is not None:
        (directory / "MLmodel").write_text(content)
    command = [environment.python(), "-m", "modelwright_runtime.server", "--socket", str(directory / "s.sock")]
    result = subprocess.run(
        [*command, "--model", str(directory)],
        env={"PYTHONPATH": str(environment.RUNTIME)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 3
    assert ("holds no MLmodel" if content is None else "cannot be loaded") in result.stderr


def test_an_environment_without_mlflow_is_named(directory: Path) -> None:
    (directory / "MLmodel").write_text("flavors: {}")
    bare = directory / "bare"
    subprocess.run(["uv", "venv", "--python", "3.11", str(bare)], check=True, capture_output=True, timeout=120)
    result = subprocess.run(
        [str(bare / "bin" / "python"), "-m", "modelwright_runtime.server", "--socket", "s", "--model", str(directory)],
        env={"PYTHONPATH": str(environment.RUNTIME)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 3
    assert "mlflow-skinny" in result.stderr


CLASSIFIERS = """
import json, sys, warnings, numpy, pandas
warnings.simplefilter("ignore")
from sklearn.datasets import make_classification
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import all_estimators
from modelwright_runtime.server import classifiers
checked = []
for name, kind in all_estimators(type_filter="classifier"):
    for classes in (2, 3):
        x, y = make_classification(600, 6, n_informative=4, n_classes=classes, flip_y=0.2, random_state=classes)
        x = numpy.abs(x).round(1)
        labels = numpy.array(["a", "b", "c"])[y]
        try:
            scaled = [] if name == "CategoricalNB" else [StandardScaler(with_mean=False)]
            x = x.round().clip(0, 3) if name == "CategoricalNB" else x
            model = make_pipeline(*scaled, kind()).fit(x[:300], labels[:300])
        except Exception:
            continue
        if not classifiers.gives_both(model):
            continue
        got = classifiers.ClassifierPredictor(model).predict(x).predictions
        assert got == model.predict(x).tolist(), name
        checked.append(name)
assert set(checked) >= classifiers._BY_LARGEST_PROBABILITY, checked
"""


def test_every_classifier_asked_once_predicts_exactly_as_its_own_predict_does() -> None:
    command = [environment.python(), "-c", CLASSIFIERS]
    result = subprocess.run(
        command,
        env={"PYTHONPATH": str(environment.RUNTIME), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert result.returncode == 0, result.stderr
