"""Finding predictions by time, outcome, version, protocol and values; on the page, over REST and as files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from models.endpoints.models import Deployment, Endpoint
from models.gateway.recording import digest_of, redaction_key
from models.predictions import exporting, partitions, search
from models.predictions.conditions import typed
from models.predictions.models import Prediction
from models.predictions.search import Cursor, Search, find, read
from models.predictions.storing import store
from models.registry.models import ModelVersion
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.core.errors import ValidationFailed
from tests.predictions.test_partitions import id_at

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SIGNATURE = {
    "inputs": [
        *(
            {"name": name, "type": kind}
            for name, kind in (("age", "long"), ("name", "string"), ("vip", "boolean"), ("long", "long"))
        ),
        {"name": 'odd "name" \'$', "type": "double"},
    ],
    "outputs": [],
}
ODD = 'odd "name" \'$'


@pytest.fixture
def endpoint(deployment: Deployment) -> Endpoint:
    ModelVersion.objects.update(signature=SIGNATURE)
    endpoint: Endpoint = deployment.endpoint
    Endpoint.objects.update(created_at=START)
    endpoint.refresh_from_db()
    return endpoint


@pytest.fixture
def put(make_record: Any) -> Callable[..., list[str]]:
    """Stores one prediction a minute from START on; returns the ids."""

    def put(rows: Sequence[dict[str, Any]]) -> list[str]:
        records = []
        for number, changes in enumerate(rows):
            at = START + number * MINUTE
            records.append(make_record(id=id_at(at, number + 1), at=at.timestamp(), **changes))
        store(records)
        return [record["id"] for record in records]

    return put


def hits(endpoint: Endpoint, ids: list[str], **params: str) -> list[int]:
    asked, problems = read(endpoint, params)
    assert not problems, problems
    return sorted(ids.index(row.pk.hex) for row in find(endpoint, asked).rows)


def test_each_thing_that_may_be_looked_for(endpoint: Endpoint, deployment: Deployment, put: Any) -> None:
    failed = {"outputs": [], "error": {"code": "model_error", "message": "no"}}
    ids = put([{}, {"status": 502, **failed}, {"protocol": "v2"}, {"status": 504, **failed}, {"key_id": None}])
    assert hits(endpoint, ids) == [0, 1, 2, 3, 4]
    assert hits(endpoint, ids, id=ids[2]) == [2]
    assert hits(endpoint, ids, since="2026-03-01T12:01:00Z", until="2026-03-01T12:03:00+00:00") == [1, 2]
    assert hits(endpoint, ids, since="2026-03-01", until="2026-03-01") == [0, 1, 2, 3, 4]
    assert hits(endpoint, ids, since="2026-03-02") == []
    assert hits(endpoint, ids, status="failed") == [1, 3]
    assert hits(endpoint, ids, status="504") == [3]
    assert hits(endpoint, ids, status="answered") == [0, 2, 4]
    assert hits(endpoint, ids, protocol="v2") == [2]
    assert hits(endpoint, ids, version="3") == [0, 1, 2, 3, 4]
    assert hits(endpoint, ids, version="4") == []
    assert hits(endpoint, ids, deployment="1") == hits(endpoint, ids, deployment=str(deployment.pk)) == [0, 1, 2, 3, 4]
    assert hits(endpoint, ids, key="page") == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("column", "op", "value", "expected"),
    [
        ("age", "eq", "41", [0, 3]),
        ("age", "ne", "41", [1, 2, 3]),
        ("age", "gt", "41", [1, 3]),
        ("age", "le", "41.0", [0, 2, 3]),
        ("name", "eq", "Ann", [0]),
        ("name", "contains", "nN.", [2]),
        ("name", "contains", "n", [0, 2, 3]),
        ("name", "null", "", [1]),
        ("name", "present", "", [0, 2, 3]),
        ("vip", "eq", "true", [0]),
        (ODD, "lt", "-1.5", [1]),
        ("extra", "eq", "x", [2]),
        ("extra", "eq", "7", [3]),
        ("long", "eq", "9007199254740993", [1]),
        ("long", "ne", "+9007199254740993", [0]),
    ],
)
def test_values_are_compared_by_their_type(
    endpoint: Endpoint, put: Any, column: str, op: str, value: str, expected: list[int]
) -> None:
    ids = put(
        [
            {"inputs": [{"age": 41, "name": "Ann", "vip": True, ODD: 1, "long": 2**53}]},
            {"inputs": [{"age": 42.5, "name": None, "vip": False, ODD: -2, "long": 2**53 + 1}]},
            {"inputs": [{"age": 40, "name": "Ann. or Ben", "extra": "x"}]},
            {"inputs": [{"age": 41, "name": "en"}, {"age": 99, "name": "Cid", "extra": 7}]},
        ]
    )
    assert hits(endpoint, ids, column=column, op=op, value=value) == expected


def test_a_redacted_value_is_found_by_whoever_knows_it(endpoint: Endpoint, put: Any) -> None:
    endpoint.redacted_columns = ["name"]
    digest = digest_of(redaction_key(settings.SECRET_KEY), "Ann")
    ids = put([{"inputs": [{"name": {"redacted": digest}}]}, {"inputs": [{"name": {"redacted": "0" * 32}}]}])
    assert hits(endpoint, ids, column="name", op="eq", value="Ann") == [0]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"id": "x"}, "id"),
        ({"since": "yesterday"}, "since"),
        ({"until": "9999-99-99"}, "until"),
        ({"until": "9999-12-31"}, "until"),
        ({"since": "0001-01-01"}, "since"),
        ({"column": "age"}, "op"),
        ({"op": "eq", "value": "1"}, "column"),
        ({"version": "-1"}, "version"),
        ({"deployment": "99"}, "deployment"),
        ({"status": "bad"}, "status"),
        ({"protocol": "smtp"}, "protocol"),
        ({"column": "age", "op": "eq", "value": "old"}, "value"),
        ({"column": "age", "op": "eq", "value": "nan"}, "value"),
        ({"column": "vip", "op": "gt", "value": "true"}, "value"),
        ({"column": "age", "op": "like", "value": "4"}, "op"),
    ],
)
def test_what_cannot_be_looked_for_is_said(
    endpoint: Endpoint, api: Any, ann: User, params: dict[str, str], field: str
) -> None:
    _, (problem,) = read(endpoint, params)
    assert problem.errors[0].field == field
    assert problem.remedy
    assert api(ann).get(f"/api/v1/endpoints/{endpoint.pk}/predictions/", params).status_code == 422


def test_any_text_is_a_value(endpoint: Endpoint, put: Any) -> None:
    put([{"inputs": [{"name": "x"}]}])
    for text in ('"', "\\", "'; DROP TABLE x", '") ? (true', "$value", "(", "%s", "\u2028", "🍷", "[*]"):
        for op in ("eq", "ne", "contains"):
            condition = typed(f"{text}column", "string", op, text)
            found = find(endpoint, Search(condition=condition)).rows
            assert found == []


def test_pages_meet_without_gap_or_overlap(endpoint: Endpoint, put: Any) -> None:
    ids = put([{}] * 25)
    seen: list[str] = []
    cursor: Cursor | None = None
    pages = []
    while True:
        page = find(endpoint, Search(), cursor=cursor, limit=10)
        pages.append(page)
        seen += [row.pk.hex for row in page.rows]
        cursor = page.older
        if cursor is None:
            break
    assert seen == ids[::-1]
    assert pages[0].newer is None
    back = find(endpoint, Search(), cursor=pages[2].newer, limit=10)
    assert [row.pk for row in back.rows] == [row.pk for row in pages[1].rows]
    assert find(endpoint, Search(), cursor=back.newer, limit=10).newer is None


def test_a_page_reads_the_days_only_that_it_needs(endpoint: Endpoint, put: Any) -> None:
    ids = put([{}] * 25)
    for day in (START + number * 4 * search.DAY for number in range(400, 403)):
        partitions.make_ahead(day.date())
    with CaptureQueriesContext(connection) as queries:
        assert [row.pk.hex for row in find(endpoint, Search(), limit=10).rows] == ids[:14:-1]
    assert "predictions_predictionbucket" in queries[0]["sql"]
    assert f"\"id\" >= '{ids[14][:12]}{'0' * 20}'" in queries[1]["sql"]
    assert len(queries) == 2


def test_what_was_deleted_is_still_counted_and_misleads_nobody(endpoint: Endpoint, put: Any) -> None:
    ids = put([{}] * 25)
    Prediction.objects.filter(pk__in=ids[10:20]).delete()
    assert [row.pk.hex for row in find(endpoint, Search(), limit=10).rows] == [*ids[:19:-1], *ids[9:4:-1]]


def test_a_search_looks_at_so_many_and_can_go_on(
    endpoint: Endpoint, put: Any, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr(search, "SCAN", 10)
    ids = put([{"protocol": "v2" if number in (3, 24) else "own"} for number in range(25)])
    looked: list[list[int]] = []
    cursor: Cursor | None = None
    while True:
        with django_assert_max_num_queries(3):
            page = find(endpoint, Search(protocol="v2"), cursor=cursor, limit=5)
        looked.append([ids.index(row.pk.hex) for row in page.rows])
        cursor = page.older
        if cursor is None:
            break
        assert page.looked_back_to is not None
    assert looked == [[24], [], [3]]


def test_over_rest(endpoint: Endpoint, put: Any, api: Any, ann: User, stranger: User) -> None:
    ids = put([{"inputs": [{"age": number}]} for number in range(5)])
    address = f"/api/v1/endpoints/{endpoint.pk}/predictions/"
    first = api(ann).get(address, {"column": "age", "op": "ge", "value": "1", "limit": 2}).json()
    assert [row["id"].replace("-", "") for row in first["results"]] == [ids[4], ids[3]]
    assert (first["looked_back_to"], first["previous"]) == (None, None)
    second = api(ann).get(first["next"]).json()
    assert [row["id"].replace("-", "") for row in second["results"]] == [ids[2], ids[1]]
    assert (second["next"], bool(second["previous"])) == (None, True)
    assert second["results"][0]["status"] == 200
    assert api(stranger).get(address).status_code == 404


def test_on_the_page(endpoint: Endpoint, put: Any, browser_client: Callable[[User], Client], ann: User) -> None:
    put([{"inputs": [{"age": number}]} for number in range(60)])
    client, address = browser_client(ann), f"/endpoints/{endpoint.pk}/predictions/"
    page = client.get(address).content.decode()
    assert page.count('<th scope="row">') == 50
    assert "Older" in page
    assert "at most 100,000 predictions" in page
    page = client.get(address, {"column": "age", "op": "lt", "value": "3", "since": "nonsense"}).content.decode()
    assert page.count('<th scope="row">') == 3
    assert "Give a date such as" in page
    nothing = client.get(address, {"status": "failed"}).content.decode()
    assert "Nothing matches these filters" in nothing


def test_files_have_what_was_found_and_the_audit_log_who_took_it(
    endpoint: Endpoint, put: Any, api: Any, ann: User, browser_client: Callable[[User], Client]
) -> None:
    put(
        [
            {"inputs": [{"age": 1, "name": "=cmd", "extra": [1]}, {"age": 2}], "outputs": ["a", "b"]},
            {"inputs": [{"age": 3}], "outputs": [], "status": 502, "error": {"code": "c", "message": "m"}},
        ]
    )
    page: Any = browser_client(ann).get(f"/endpoints/{endpoint.pk}/predictions/export/", {"format": "csv"})
    rows = list(csv.DictReader(io.StringIO(b"".join(page.streaming_content).decode())))
    assert [(row["input.age"], row["record"], row["output"], row["status"]) for row in rows] == [
        *(("3", "0", "", "502"), ("1", "0", "a", "200"), ("2", "1", "b", "200"))
    ]
    assert (rows[1]["input.name"], json.loads(rows[1]["input"])) == ("'=cmd", {"extra": [1]})
    address = f"/api/v1/endpoints/{endpoint.pk}/predictions/export/"
    answer = api(ann).get(address, {"as": "jsonl", "status": "answered"})
    (line,) = b"".join(answer.streaming_content).decode().splitlines()
    assert json.loads(line)["outputs"] == ["a", "b"]
    assert "at most 100,000" in answer.headers["X-Modelwright-Limits"]
    event = AuditEvent.objects.filter(action="predictions.exported").latest("pk")
    assert event.after == {"format": "jsonl", "search": {"status": "answered"}, "at_most": 100_000}
    assert AuditEvent.objects.filter(action="predictions.exported").count() == 2
    assert api(ann).get(address, {"as": "xlsx"}).status_code == 422


@pytest.mark.parametrize("op", ["eq", "contains", "lt", "nonsense"])
def test_what_was_looked_for_in_a_redacted_column_is_not_in_the_audit_log_either(
    endpoint: Endpoint, api: Any, ann: User, browser_client: Callable[[User], Client], op: str
) -> None:
    Endpoint.objects.filter(pk=endpoint.pk).update(redacted_columns=["name"])
    asked = {"column": "name", "op": op, "value": "Jane Doe"}
    browser_client(ann).get(f"/endpoints/{endpoint.pk}/predictions/export/", {"format": "csv", **asked})
    api(ann).get(f"/api/v1/endpoints/{endpoint.pk}/predictions/export/", asked)
    told: list[Any] = list(AuditEvent.objects.filter(action="predictions.exported").values_list("after", flat=True))
    assert told
    assert "Jane" not in json.dumps(told)
    digest = digest_of(redaction_key(settings.SECRET_KEY), "Jane Doe")
    assert all(each["search"] == {**asked, "value": digest} for each in told)


def test_a_file_ends_at_its_limit(endpoint: Endpoint, put: Any, ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    put([{}] * 30)
    monkeypatch.setattr(exporting, "MAX_ROWS", 12)
    monkeypatch.setattr(exporting, "CHUNK_ROWS", 5)
    assert "".join(exporting.PredictionExport(endpoint, Search(), "jsonl")).count("\n") == 12
    with pytest.raises(ValidationFailed):
        typed("age", "long", "eq", "x")


@pytest.mark.parametrize("id_", ["0" * 32, "f" * 32])
def test_any_cursor_is_a_place(endpoint: Endpoint, put: Any, api: Any, ann: User, id_: str) -> None:
    put([{}] * 3)
    address = f"/api/v1/endpoints/{endpoint.pk}/predictions/"
    for direction in ("before", "after"):
        for more in ({}, {"protocol": "own"}, {"column": "name", "op": "eq", "value": "x"}):
            answer = api(ann).get(address, {"cursor": f"{direction}:{id_}", **more})
            assert answer.status_code == 200, answer.content
