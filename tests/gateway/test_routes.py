"""Route tables and the choice of a target."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.gateway.ids import new_prediction_id
from models.gateway.routes import RoutesError, RouteTable, parse
from models.gateway.watching import RouteWatcher
from tests.gateway.processes import endpoint, target


def table(revision: int = 1, **endpoints: Any) -> bytes:
    return json.dumps({"revision": revision, "endpoints": endpoints}).encode()


def test_a_table_is_found_by_path() -> None:
    parsed = parse(json.dumps({"revision": 7, "endpoints": {"acme/wine": endpoint(3, target("m", 1))}}).encode())
    assert parsed.revision == 7
    match = parsed.match(b"/acme/wine/predict")
    assert match is not None
    assert (match.protocol, match.operation, match.endpoint.deployment_number) == ("own", "predict", 3)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("predict", ("own", "predict", "", "")),
        ("feedback", ("own", "feedback", "", "")),
        ("openapi.json", ("own", "openapi", "", "")),
        ("invocations", ("mlflow", "predict", "", "")),
        ("v2/models/m/infer", ("v2", "predict", "m", "")),
        ("v2/models/wine/versions/1/infer", ("v2", "predict", "wine", "1")),
        ("v2/models/a%20%26%20b/ready", ("v2", "model-ready", "a & b", "")),
        ("v2/models/a%20&%20b/ready", ("v2", "model-ready", "a & b", "")),
        ("v2/models/other/versions/x", ("v2", "model", "other", "x")),
        ("v2/repository/index", ("v2", "unknown", "", "")),
        ("v1/models/m:predict", ("tensorflow", "predict", "m", "")),
        ("v1/models/m/versions/7:predict", ("tensorflow", "predict", "m", "7")),
        ("v1/models/m:classify", ("tensorflow", "unknown", "", "")),
        ("predict/", None),
        ("", None),
    ],
)
def test_a_path_says_protocol_operation_model_and_version(path: str, expected: tuple[str, ...] | None) -> None:
    served = endpoint(3, target("m", 1), target("a & b", 2))
    parsed = parse(json.dumps({"revision": 7, "endpoints": {"acme/wine": served}}).encode())
    match = parsed.match(f"/acme/wine/{path}".encode())
    assert (None if match is None else tuple(match)[1:5]) == expected
    assert parsed.match(f"/acme/beer/{path}".encode()) is None


def test_a_named_version_answers_alone_and_the_endpoint_s_name_stands_for_all() -> None:
    served = endpoint(1, target("m", 1, weight=50), target("m", 2, weight=50), target("other", 1, weight=0))
    found = parse(json.dumps({"revision": 1, "endpoints": {"acme/wine": served}}).encode()).endpoints["acme/wine"]

    def picked(model: str, version: str = "") -> set[int]:
        picks = (found.pick_named(model, version, lambda _: True) for _ in range(60))
        return {pick.version for pick in picks if pick is not None}

    assert picked("m", "2") == {2}
    assert picked("m") == picked("wine") == picked("") == {1, 2}
    assert picked("m", "3") == picked("other") == picked("beer") == set()
    assert found.pick_named("m", "", lambda one: one.version == 2) == found.targets[1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"revision": 1}',
        table()[:-1],
    ],
)
def test_what_is_no_table_is_refused_whole(content: bytes) -> None:
    with pytest.raises(RoutesError):
        parse(content)


def tensor(shape: Any) -> dict[str, Any]:
    return {"type": "tensor", "tensor": {"dtype": "float32", "shape": shape}}


BROKEN_ENTRIES: list[Any] = [
    {},
    None,
    endpoint(2, {}),
    endpoint(2, target("m", 1, weight=-1)),
    endpoint(2, target("m", 1, signature={"inputs": 3})),
    endpoint(2, target("m", 1, signature={"inputs": [tensor("abc")]})),
    endpoint(2, target("m", 1, signature={"inputs": [{"name": "a"}], "outputs": [tensor([-2])]})),
    endpoint(2, target("m", 1, signature={"inputs": [{"name": "a", "type": "array", "items": tensor([1] * 40)}]})),
]


@pytest.mark.parametrize("entry", BROKEN_ENTRIES)
def test_an_entry_that_cannot_be_used_is_the_trouble_of_its_endpoint_alone(entry: Any) -> None:
    good = endpoint(1, target("m", 1))
    first = parse(table(1, a=good, b=good))
    fresh = parse(table(2, a=entry, b=endpoint(2, target("m", 2))))
    assert set(fresh.endpoints) == {"b"}
    later = parse(table(2, a=entry, b=endpoint(2, target("m", 2))), first)
    assert later.revision == 2
    assert later.endpoints["b"].deployment_number == 2
    assert set(fresh.troubles) == set(later.troubles) == {"a"}
    if "a" in later.endpoints:
        assert later.endpoints["a"].targets == first.endpoints["a"].targets


def test_an_endpoint_that_keeps_its_targets_has_the_keys_and_redactions_of_now() -> None:
    first = parse(table(1, a=endpoint(1, target("m", 1), keys=("old", "kept"))))
    broken = {**endpoint(2, target("m", 1, weight=-1), keys=("kept",)), "redact": ["x"]}
    found = parse(table(2, a=broken), first).endpoints["a"]
    assert found.deployment_number == 1
    assert len(found.keys) == 1
    assert found.redact == {"x"}
    assert "a" not in parse(table(2, a={**broken, "endpoint_id": "another"}), first).endpoints


@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.integers() | st.text(),
        lambda x: st.dictionaries(st.sampled_from(["revision", "endpoints", "targets", "keys", "a"]), x),
    ).map(lambda x: json.dumps(x).encode())
)
def test_any_bytes_are_a_table_or_a_routes_error(content: bytes) -> None:
    with contextlib.suppress(RoutesError):
        assert isinstance(parse(content), RouteTable)


def test_targets_are_picked_by_weight_and_never_with_weight_nought() -> None:
    parsed = parse(table(a=endpoint(1, target("m", 1, weight=90), target("m", 2, weight=10), target("m", 3, weight=0))))
    picks = [parsed.endpoints["a"].pick(lambda _: True) for _ in range(4000)]
    versions = [pick.version for pick in picks if pick is not None]
    assert set(versions) == {1, 2}
    assert 200 < versions.count(2) < 700


def test_a_target_without_a_replica_is_passed_over_while_another_has_one() -> None:
    parsed = parse(table(a=endpoint(1, target("m", 1, weight=99), target("m", 2, weight=1))))
    picks = {parsed.endpoints["a"].pick(lambda candidate: candidate.version == 2) for _ in range(50)}
    assert {pick.version for pick in picks if pick is not None} == {2}


def test_the_watcher_keeps_the_last_good_table_and_takes_the_next_good_one(tmp_path: Path) -> None:
    path = tmp_path / "routes.json"
    applied: list[int] = []
    watcher = RouteWatcher(path, lambda new: applied.append(new.revision))

    def replace(content: bytes) -> None:
        (tmp_path / "next").write_bytes(content)
        os.replace(tmp_path / "next", path)
        watcher.check()

    watcher.check()
    assert applied == []
    replace(table(1))
    replace(b"{broken")
    assert watcher.error is not None
    assert "last good" in watcher.error
    replace(table(2))
    watcher.check()
    assert applied == [1, 2]
    assert watcher.error is None


def test_the_watcher_tells_of_an_entry_that_cannot_be_used_and_takes_the_others(tmp_path: Path) -> None:
    applied: list[RouteTable] = []
    path = tmp_path / "routes.json"
    watcher = RouteWatcher(path, applied.append)
    for content in (
        table(1, a=endpoint(1, target("m", 1))),
        table(2, a=endpoint(2, {}), b=endpoint(1, target("m", 1))),
    ):
        (tmp_path / "next").write_bytes(content)
        os.replace(tmp_path / "next", path)
        watcher.check()
    assert "1 in all (a: KeyError" in str(watcher.error)
    assert set(applied[-1].endpoints) == {"a", "b"}
    assert applied[-1].endpoints["a"].deployment_number == 1


def test_prediction_ids_are_uuids_of_version_7_and_sort_by_time() -> None:
    ids = [new_prediction_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(uuid.UUID(value).version == 7 and uuid.UUID(value).variant == uuid.RFC_4122 for value in ids)
    assert [value[:12] for value in ids] == sorted(value[:12] for value in ids)
