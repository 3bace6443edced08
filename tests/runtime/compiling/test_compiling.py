"""Models are compiled in an environment of their own, proved equal or refused, and answered by a real model server."""

from __future__ import annotations

import json
import math
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from modelwright_runtime.compiling import proving
from modelwright_runtime.server import frames

from tests.gateway.processes import Process
from tests.runtime.connection import Client
from tests.runtime.formats import environments

pytestmark = pytest.mark.slow

ROW = {"alcohol": 13.2, "malic_acid": 1.8, "proline": 1050, "shade": "light", "region": "north"}
BOOSTED = ("xgboost_classifier", "xgboost_booster", "lightgbm_classifier", "lightgbm_booster")
PYTHON = "tables"


class Compiled(NamedTuple):
    """What compiling all models came to, and where they lie."""

    folder: Path
    verdicts: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def compiled() -> Iterator[Compiled]:
    folder = Path(tempfile.mkdtemp(prefix="mwc-", dir="/tmp"))
    program = Path(__file__).with_name("compile_models.py")
    boosted = [str(environments.model(PYTHON, name)) for name in BOOSTED]
    command = [environments.python(PYTHON), "-W", "ignore", str(program), str(folder), *boosted]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=environments.variables())
    assert done.returncode == 0, done.stderr[-4000:]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    yield Compiled(folder, {line["name"]: line for line in lines})
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize(
    "name",
    ["logistic", "boosted", "strict", "forest", "histogram", "network", "machine", "matrix", *BOOSTED],
    ids=lambda name: name,
)
def test_pipelines_and_boosted_trees_are_proved_equal_on_thousands_of_rows(compiled: Compiled, name: str) -> None:
    verdict = compiled.verdicts[name]
    proof = verdict["proof"]
    assert verdict["verdict"] == "equal", verdict
    assert proof["rows"] > 1500
    assert proof["labels_different"] == proof["refusals_different"] == 0
    assert proof["largest_difference"] <= proving.TOLERANCE
    assert len(proof["digest"]) == 64
    assert {"onnx", "onnxruntime"} <= proof["versions"].keys()
    assert (compiled.folder / "compiled" / name / "model.onnx").stat().st_size > 0


def test_categories_that_an_encoder_drops_are_answered_though_no_example_has_them(compiled: Compiled) -> None:
    verdict = compiled.verdicts["dropped"]
    assert verdict["verdict"] == "equal", verdict
    labels, refusals, scores, answered = verdict["apart"]
    assert (labels, refusals, answered) == (0, 0, 6)
    assert scores <= proving.TOLERANCE


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
def test_rows_of_zeros_are_normalized_as_the_original_does(compiled: Compiled, norm: str) -> None:
    verdict = compiled.verdicts[norm]
    assert verdict["verdict"] == "equal", verdict
    labels, refusals, scores, answered = verdict["apart"]
    assert (labels, refusals, answered) == (0, 0, 25)
    assert scores <= proving.TOLERANCE


def test_columns_of_true_and_false_are_asked_for_nothing_else(compiled: Compiled) -> None:
    verdict = compiled.verdicts["truth"]
    assert verdict["verdict"] == "equal", verdict
    labels, refusals, scores, answered = verdict["apart"]
    assert (labels, refusals, answered) == (0, 0, 6)
    assert scores <= proving.TOLERANCE


def test_rows_at_the_thresholds_of_trees_are_in_the_probe_set(compiled: Compiled) -> None:
    # A threshold lies behind a scaler here, so it was traced back to the column that the request has.
    assert compiled.verdicts["boosted"]["proof"]["edges"] > 100
    assert compiled.verdicts["xgboost_classifier"]["proof"]["edges"] > 100


def test_what_onnx_cannot_say_is_not_compiled_and_the_reason_names_it(compiled: Compiled) -> None:
    assert compiled.verdicts["own_code"]["verdict"] == "impossible"
    assert "Doubled is code of the project's own" in compiled.verdicts["own_code"]["reason"]
    assert compiled.verdicts["chosen"]["verdict"] == "impossible"
    assert "FixedThresholdClassifier" in compiled.verdicts["chosen"]["reason"]


def test_a_model_that_answers_otherwise_than_its_parts_say_is_different_with_the_worst_row(compiled: Compiled) -> None:
    verdict = compiled.verdicts["changed"]
    assert verdict["verdict"] == "different"
    assert verdict["proof"]["labels_different"] > 0
    assert verdict["proof"]["worst"]["row"]["alcohol"] > 14
    assert "labels differ" in verdict["reason"]
    assert "the original says" in verdict["reason"]


@pytest.mark.parametrize(
    "name",
    ["stacked", "voted", "final", "bagged", "adaptive", "calibrated", "nested", "boosted", "added", "binned"],
)
def test_a_tree_inside_of_what_skl2onnx_converts_is_not_compiled(compiled: Compiled, name: str) -> None:
    verdict = compiled.verdicts[f"tree_{name}"]
    assert verdict["verdict"] == "impossible", verdict
    assert "holds a tree" in verdict["reason"]


@pytest.mark.parametrize("name", ["stacked", "voted"])
def test_models_made_of_linear_ones_are_still_compiled(compiled: Compiled, name: str) -> None:
    verdict = compiled.verdicts[f"linear_{name}"]
    assert verdict["verdict"] == "equal", verdict


def test_regressors_of_small_targets_are_measured_by_these(compiled: Compiled) -> None:
    found = {name: compiled.verdicts[name]["verdict"] for name in ("tiny", "tiny_linear", "tiny_wrong")}
    assert found == {"tiny": "equal", "tiny_linear": "equal", "tiny_wrong": "different"}


def test_what_rounds_to_the_largest_single_is_answered_as_the_original_does(compiled: Compiled) -> None:
    labels, refusals, scores, answered = compiled.verdicts["tiny"]["apart"]
    assert (labels, refusals, answered) == (0, 0, 6)
    assert scores <= proving.TOLERANCE


class Server(Process):
    """A replica that answers by a compiled model."""

    def __init__(self, folder: Path, name: str) -> None:
        self.socket = folder / f"{name}.sock"
        command = [environments.python(PYTHON), "-X", "importtime", "-m", "modelwright_runtime.server"]
        command += ["--socket", str(self.socket), "--compiled", str(folder / "compiled" / name)]
        command += ["--version-id", "v", "--served-by", "onnx:abc"]
        variables: dict[str, Any] = environments.variables()
        super().__init__(command, folder / "log", **variables)
        self.wait_for_line(r"INFO ready")


def test_a_model_server_answers_by_the_compiled_model_without_the_libraries_of_the_original(compiled: Compiled) -> None:
    server = Server(compiled.folder, "strict")
    try:
        columns = list(ROW)
        row = list(ROW.values())
        with Client(server.socket, columns) as client:
            kind, answer = client.predict(row, [13.2, None, 400, "dark", "west"])
            assert kind == frames.ANSWER
            assert answer["classes"] == ["red", "rose", "white"]
            assert [math.isclose(sum(each), 1.0) for each in answer["probabilities"]] == [True, True]
            _, pong = client.ask(frames.PING, {})
            assert pong["served_by"] == "onnx:abc"
            kind, error = client.predict([*row[:3], "amber", "north"])
            assert kind == frames.ERROR
            assert "'amber', which the model does not know" in error["message"]
            kind, error = client.predict(row[1:], columns=columns[1:])
            assert (kind, "alcohol" in error["message"]) == (frames.ERROR, True)
        log = server.text()
        assert not [name for name in ("pandas", "sklearn", "mlflow") if f" {name}\n" in log]
    finally:
        server.stop(signal.SIGTERM)
    shutil.rmtree(compiled.folder / "compiled" / "nothing", ignore_errors=True)


def test_a_folder_without_a_compiled_model_is_said_to_be_none(compiled: Compiled) -> None:
    command = [environments.python(PYTHON), "-m", "modelwright_runtime.server", "--socket", "/tmp/never.sock"]
    command += ["--compiled", str(compiled.folder / "nothing")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environments.variables())
    assert done.returncode == 3
    assert "holds no compiled model" in done.stderr


def test_numbers_are_compared_relatively_once_they_are_large_and_labels_by_kind_too() -> None:
    def compared(wanted: Any, got: Any) -> proving.Comparison:
        return proving.compare([proving.Said(wanted)], [proving.Said(got)])

    assert compared(1e6, 1e6 + 1).is_equal
    assert not compared(1.0, 1.0 + 2e-5).is_equal
    assert compared(math.nan, math.nan).is_equal
    assert not compared(1.0, math.nan).is_equal
    assert compared("yes", "yes").is_equal
    assert compared(1, True).labels == 1
    refused = proving.compare([proving.Said(refused="no")], [proving.Said(1)])
    assert (refused.refusals, refused.is_equal) == (1, False)


def test_the_tolerance_of_small_predictions_is_a_share_of_what_is_usual() -> None:
    def compared(wanted: list[Any], got: list[Any]) -> proving.Comparison:
        return proving.compare([proving.Said(each) for each in wanted], [proving.Said(each) for each in got])

    assert not compared([1e-6, 2e-6, 3e-6], [1e-6, 2e-6, 3.8e-6]).is_equal
    assert compared([1e-6, 2e-6, 3e-6], [1e-6, 2e-6, 3e-6 + 1e-14]).is_equal
    # One that is nearly nothing by chance is measured by the others, and nothing at all is not what is usual.
    assert compared([1e-6, 2e-6, 1e-14], [1e-6, 2e-6, 2e-14]).is_equal
    assert compared([0.0, 0.0, 0.0, 2e-6], [0.0, 0.0, 1e-14, 2e-6]).is_equal
    assert not compared([[1e-6, 2e-6]], [[1e-6, 3e-6]]).is_equal
    assert compared([0.0, math.nan], [1e-9, math.nan]).is_equal
    # Probabilities are out of 1, however small.
    chances = [proving.Said("no", [1 - each, each], ["no", "yes"]) for each in (1e-9, 2e-6)]
    assert proving.compare(chances, chances[::-1]).is_equal
