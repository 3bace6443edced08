"""The gateway as machine code is the same gateway."""

from __future__ import annotations

import ast
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from models.gateway import native
from tests.gateway.processes import KEY, RECORD, ROOT, Gateway, endpoint, target
from tests.gateway.signatures import signature_of

AUTHORIZED = {"Authorization": f"Bearer {KEY}"}
ADDRESSES = ("predict", "invocations", "v2/models/cellar/infer", "v1/models/wine:predict", "feedback", "nothing")
TENSORS = [{"name": "alcohol", "shape": [1], "datatype": "FP64", "data": [13.2]}]
BODIES: tuple[Any, ...] = (
    b"",
    b"{",
    b"[1]",
    {"records": []},
    {"records": [{"alcohol": "much"}]},
    {"records": [3], "more": 1},
    {"records": [RECORD]},
    {"records": [RECORD, {**RECORD, "malic_acid": None}, {**RECORD, "proline": 3.0}]},
    {"records": [{**RECORD, "proline": 2.5}]},
    {"records": [{**RECORD, "proline": 2**63}]},
    {"dataframe_records": [RECORD]},
    {"instances": [RECORD]},
    {"inputs": TENSORS},
    {"inputs": [{**tensor, "name": name} for tensor in TENSORS for name in RECORD]},
    {"response": "1", "truth": "2"},
)
VALUES: tuple[Any, ...] = (
    *(sign * (2**bits + more) for bits in (31, 53, 63, 64) for more in (-1, 0, 1) for sign in (1, -1)),
    *(0, -0.0, 1.0, 1.5, 1e-320, 1e22, 3.4028234663852886e38, 1.7976931348623157e308, -1e308),
    *(True, False, None, "", "1", "north", "ß" * 300, [], [1], {}, {"a": 1}),
)
# What no two answers share: ids, and moments.
OWN = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f-]{27}")


@pytest.fixture(scope="module")
def folder() -> Path:
    """Machine code of the sources as they are, made once."""
    root = Path(tempfile.gettempdir()) / f"modelwright-test-native-{os.getuid()}"
    command = [sys.executable, "-m", "models.gateway.native", str(root)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    return Path(result.stdout.splitlines()[-1])


@pytest.fixture
def gateways(directory: Path, replicas: dict[str, Path], folder: Path) -> Iterator[list[Gateway]]:
    """One as Python and one as machine code, before the same replica."""
    found: list[Gateway] = []
    try:
        for name, place in (("python", ""), ("native", str(folder))):
            (directory / name).mkdir()
            found.append(Gateway(directory / name, env={"MODELWRIGHT_NATIVE": place}))
            served = target("cellar", 1, replicas["one"], signature=signature_of("one"))
            found[-1].publish({"acme/wine": endpoint(1, served)})
        yield found
    finally:
        for process in found:
            process.stop()


def test_it_says_and_records_what_python_does(gateways: list[Gateway]) -> None:
    plain, fast = gateways
    assert "as Python" in plain.text()
    assert "as machine code" in fast.text()
    statuses = set()
    for address in ADDRESSES:
        for body in BODIES:
            said = [_ask(gateway, address, body) for gateway in gateways]
            assert said[0] == said[1], (address, body)
            statuses.add(said[0][0])
    assert {200, 202, 400, 404, 422} <= statuses
    kept = [[_without_times(record) for record in gateway.recorded()] for gateway in gateways]
    assert kept[0] == kept[1]
    assert len(kept[0]) > 5


def test_it_takes_and_refuses_the_values_that_python_does(gateways: list[Gateway]) -> None:
    chance = random.Random(20_261_128)
    statuses = []
    for _ in range(400):
        wrong = chance.sample(sorted(RECORD), chance.choice((0, 1, 1, 1, 2)))
        records = [{**RECORD, **{name: chance.choice(VALUES) for name in wrong}} for _ in range(chance.choice((1, 3)))]
        protocol, body = chance.choice((("predict", {"records": records}), ("invocations", {"inputs": records})))
        said = [_ask(gateway, protocol, body) for gateway in gateways]
        assert said[0] == said[1], (protocol, body)
        statuses.append(said[0][0])
    assert statuses.count(200) > 40
    assert statuses.count(422) > 40
    kept = [[_without_times(record) for record in gateway.recorded()] for gateway in gateways]
    assert kept[0] == kept[1]


def test_its_folder_is_named_by_what_went_into_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in native.SOURCES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch() if Path(name).suffix else (tmp_path / name).mkdir()
    monkeypatch.setattr(native, "ROOT", tmp_path)
    root = tmp_path / "made"
    names = [native.folder_in(root).name]
    for text in ("a = 1", "a = 2"):
        (tmp_path / "models" / "gateway" / "one.py").write_text(text)
        names.append(native.folder_in(root).name)
    (tmp_path / "models" / "gateway" / "one.py").rename(tmp_path / "models" / "gateway" / "two.py")
    names.append(native.folder_in(root).name)
    assert len(set(names)) == 4
    assert native.folder_in(root).name == names[-1]


def test_what_the_compiled_modules_import_is_part_of_that_name() -> None:
    roots = [ROOT, ROOT / "platform", ROOT / "platform" / "runtime"]
    sources = [ROOT / name for name in native.SOURCES]
    found = 0
    for name in native.MODULES:
        for node in ast.walk(ast.parse((ROOT / "models" / "gateway" / f"{name}.py").read_text())):
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            parts = node.module.split(".")
            files = [
                path for root in roots for path in (root.joinpath(*parts), root.joinpath(*parts).with_suffix(".py"))
            ]
            for file in filter(Path.exists, files):
                assert any(file.is_relative_to(source) for source in sources), (name, node.module)
                found += 1
    assert found > 50


def test_without_a_compiler_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert native.main([str(tmp_path)]) == 1
    assert "install gcc" in capsys.readouterr().err
    assert native.main([str(tmp_path), "--look"]) == 1
    assert "holds nothing" in capsys.readouterr().err


def test_what_a_compiler_could_not_make_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def fail(work: Path, made: Path) -> None:
        tried.append(work)
        raise native.CompilerError("the compiler failed: it has no more memory")

    monkeypatch.setattr(native, "_compile", fail)
    for _ in range(2):
        with pytest.raises(native.BuildError, match="it has no more memory"):
            native.build(tmp_path)
    assert len(tried) == 1
    (left,) = tmp_path.iterdir()
    assert left.suffix == ".failed"
    left.unlink()
    monkeypatch.setattr(native, "_compile", lambda work, made: made.mkdir())
    old = tmp_path / ("0" * 32)
    old.mkdir()
    new = tmp_path / ("1" * 32)
    new.mkdir()
    os.utime(old, (0, 0))
    assert native.build(tmp_path) == native.folder_in(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([new, native.folder_in(tmp_path)])


def test_a_folder_that_is_gone_leaves_python(directory: Path) -> None:
    gateway = Gateway(directory, env={"MODELWRIGHT_NATIVE": str(directory / "gone")})
    try:
        assert "as Python" in gateway.text()
        assert requests.get(f"{gateway.url}/health/live", timeout=10).status_code == 200
    finally:
        gateway.stop()


def _ask(gateway: Gateway, address: str, body: Any) -> tuple[int, dict[str, str], str]:
    url = f"{gateway.url}/acme/wine/{address}"
    content: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}
    answer = requests.post(url, headers={**AUTHORIZED, "Content-Type": "application/json"}, timeout=30, **content)
    headers = {name: OWN.sub("", value) for name, value in answer.headers.items()}
    return answer.status_code, headers, OWN.sub("", answer.text)


def _without_times(record: dict[str, Any]) -> dict[str, Any]:
    assert record["id"]
    return {name: value for name, value in record.items() if name not in ("id", "at", "latency_ms", "known_at")}
