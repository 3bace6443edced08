"""What one workload leaves on purpose must not keep those behind it waiting."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, transaction
from django.utils import timezone

from models.registry import compilation, inspection
from models.registry.models import CompiledModel, ModelVersion, RegisteredModel
from modelwright.compute.models import Workload
from modelwright.compute.results import RESULT, read_result
from modelwright.storage.settings import blob_store
from tests.compute.support import queue
from tests.models_support import make_project

pytestmark = pytest.mark.django_db
COLLECTORS: dict[str, Callable[[], int]] = {"inspection": inspection.collect, "compilation": compilation.collect}


def nested(depth: int) -> str:
    """An object of so many levels, of which the first has the keys that both collectors look for."""
    deep = "[" * (depth - 1) + "]" * (depth - 1)
    return f'{{"algorithm": {{"name": "x"}}, "verdict": "different", "proof": {{}}, "deep": {deep}}}'


def left(text: str, kind: str) -> Workload:
    """An ended workload of the kind that left this as its result."""
    store = blob_store()
    blob = store.put_bytes(text.encode())
    entries = [{"path": RESULT, "sha256": blob.sha256, "size": blob.size}]
    manifest = store.put_bytes(json.dumps(entries).encode()).sha256
    made, now = queue(kind=kind), timezone.now()
    ended = {"state": "succeeded", "finished_at": now, "handed_in_at": now, "results_sha256": manifest}
    Workload.objects.filter(pk=made.pk).update(**ended)
    return Workload.objects.get(pk=made.pk)


@pytest.fixture
def model(tmp_path: Path, settings: Any) -> RegisteredModel:
    settings.DATA_DIR = tmp_path
    return RegisteredModel.objects.create(project=make_project("wine"), name="wine")


def follow(model: RegisteredModel, number: int, workload: Workload) -> Callable[[], tuple[str, str]]:
    """Something that waits for the workload; returns what tells its state and why."""
    inspects = workload.kind == "inspection"
    facts: dict[str, Any] = {"state": "importing", "inspection": workload} if inspects else {"state": "ready"}
    version = ModelVersion.objects.create(model=model, number=number, source="x", flavor="sklearn", **facts)
    if inspects:
        return lambda: ModelVersion.objects.values_list("state", "detail").get(pk=version.pk)
    made = CompiledModel.objects.create(version=version, state="compiling", workload=workload)
    return lambda: CompiledModel.objects.values_list("state", "reason").get(pk=made.pk)


@pytest.mark.parametrize("depth", [65, 960, 100_000])
@pytest.mark.parametrize("kind", list(COLLECTORS))
def test_a_result_that_is_nested_too_deeply_fails_and_the_next_is_taken(
    model: RegisteredModel, kind: str, depth: int
) -> None:
    first, second = (left(nested(each), kind) for each in (depth, 64))
    assert "nested deeper than 64" in read_result(first, RESULT)["error"]
    assert "deep" in read_result(second, RESULT)
    hostile, behind = (follow(model, number, each) for number, each in enumerate((first, second)))
    assert COLLECTORS[kind]() == 2
    state, why = hostile()
    assert (state, "nested deeper than 64" in why) == ("failed", True)
    assert behind()[0] in ("ready", "different")


@pytest.mark.parametrize("kind", list(COLLECTORS))
def test_whatever_goes_wrong_with_one_result_the_next_is_taken(
    model: RegisteredModel, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (left(nested(2), kind) for _ in range(2))
    hostile, behind = (follow(model, number, each) for number, each in enumerate((first, second)))
    trouble: list[Exception] = [OperationalError("the connection is gone"), RecursionError("too deep")]

    def read(workload: Workload, name: str) -> dict[str, Any]:
        if workload == first:
            raise trouble[0]
        return read_result(workload, name)

    monkeypatch.setattr(f"models.registry.{kind}.read_result", read)
    # While it is the database that is in trouble, everything waits.
    with pytest.raises(OperationalError), transaction.atomic():
        COLLECTORS[kind]()
    assert hostile()[0] in ("importing", "compiling")
    del trouble[0]
    assert COLLECTORS[kind]() == 2
    assert (hostile()[0], behind()[0] in ("ready", "different")) == ("failed", True)
