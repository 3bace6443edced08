"""Truth for predictions: through the gateway's spool, from people one by one and in bulk; which of it counts."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction

from models.endpoints.models import Deployment
from models.gateway.ids import new_prediction_id
from models.predictions import feedback_shipping, feedback_table, shipping
from models.predictions.feedback_selectors import coverage, truths_of
from models.predictions.feedback_types import fault_of, problem_of
from models.predictions.models import Feedback, Prediction
from models.registry.models import ModelVersion
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.core.errors import ValidationFailed
from projects.models import ProjectMembership
from tests.predictions.test_shipping import ship_all, write
from workspaces.models import Membership

pytestmark = pytest.mark.django_db
Api = Callable[[User], Any]
Record = dict[str, Any]
LONG = {"inputs": [{"name": "alcohol", "type": "double"}], "outputs": [{"type": "long", "required": True}]}


@pytest.fixture
def said(make_record: Any) -> Callable[..., Record]:
    """A record of feedback as the gateway writes it."""

    def make(prediction: Record | None, truth: Any, **changes: Any) -> Record:
        of = make_record()
        return {
            "kind": "feedback",
            "id": new_prediction_id(),
            "at": of["at"],
            "endpoint_id": of["endpoint_id"],
            "key_id": of["key_id"],
            "prediction_id": prediction["id"] if prediction else None,
            "record": 0,
            "truth": truth,
            "response": None,
            "happened_at": None,
            "known_at": of["at"],
            **changes,
        }

    return make


@pytest.fixture
def address(deployment: Deployment) -> str:
    return f"/api/v1/endpoints/{deployment.endpoint_id}/feedback/"


def typed(signature: Any = LONG) -> None:
    ModelVersion.objects.update(signature=signature)


def shipped(spool: Path, *records: Record) -> None:
    write(spool, list(records))
    ship_all(spool)


def test_feedback_of_the_spool_is_stored_once_with_its_key_and_in_order_with_predictions(
    spool: Path, make_record: Any, said: Any, deployment: Deployment
) -> None:
    prediction = make_record(outputs=[1])
    records = [said(prediction, 0), prediction, said(None, "b", response="a"), {"kind": "unheard of"}]
    path = write(spool, records)
    content = path.read_bytes()
    ship_all(spool)
    path.write_bytes(content)
    ship_all(spool)
    first, second = Feedback.objects.order_by("id")
    assert (first.prediction_id, first.truth, first.problem) == (UUID(prediction["id"]), 0, "")
    assert (first.source, first.created_by) == ("key", "The endpoint's page")
    assert first.project_id == deployment.endpoint.project_id
    assert (second.prediction_id, second.response, second.truth) == (None, "a", "b")
    assert Prediction.objects.count() == 1


def test_a_shipper_that_dies_between_read_and_commit_loses_and_doubles_nothing(
    spool: Path, make_record: Any, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    prediction = make_record()
    write(spool, [prediction, said(prediction, "one:1")])
    with monkeypatch.context() as patched:
        patched.setattr(shipping, "_record_lineage", _dies)
        with pytest.raises(DatabaseError), transaction.atomic():
            shipping.ship_once(spool)
    assert not Feedback.objects.exists()
    ship_all(spool)
    assert Feedback.objects.count() == Prediction.objects.count() == 1


def _dies(_: object) -> None:
    raise DatabaseError("the connection is gone")


def test_what_the_key_sent_is_kept_also_when_it_does_not_fit_and_says_so(
    spool: Path, make_record: Any, said: Any
) -> None:
    typed()
    prediction = make_record(outputs=[1])
    shipped(
        spool,
        prediction,
        said(prediction, "yes"),
        said(prediction, 1, record=1),
        said(prediction, {"nul": "\0"}),
        said({"id": new_prediction_id()}, "nobody knows its type"),
        said(prediction, 3.0),
        {**said(prediction, 1), "id": "no id"},
    )
    problems = [each.problem for each in Feedback.objects.order_by("id")]
    assert problems[0] == 'Expected a whole number (long), as the version answers, got text "yes".'
    assert problems[1] == "The prediction has one record, counted from 0, so there is no record 1."
    assert "an object" in problems[2]
    assert problems[3:] == ["", ""]
    assert truths_of(Prediction.objects.get())[0].truth == 3.0


@pytest.mark.parametrize(
    "signature",
    [
        {"outputs": [{"type": "array", "items": {"type": "tensor", "tensor": {"shape": "none"}}}]},
        {"outputs": [{"type": "array", "items": {"type": "tensor", "tensor": {"shape": [-2] * 40}}}]},
        {"outputs": [7]},
        {"outputs": {"type": "long"}},
        ["outputs"],
    ],
)
def test_a_signature_that_nobody_can_read_holds_up_no_feedback(
    spool: Path, make_record: Any, said: Any, signature: Any
) -> None:
    typed(signature)
    prediction = make_record(outputs=[1])
    shipped(spool, prediction, said(prediction, 1), said(prediction, "other"))
    assert [(each.truth, each.problem) for each in Feedback.objects.order_by("id")] == [(1, ""), ("other", "")]


def test_a_truth_may_be_a_part_of_an_object_that_the_version_answers() -> None:
    item = {"type": "object", "properties": {"price": {"type": "double"}, "sku": {"type": "string"}}}
    assert fault_of({"outputs": [item]}, {"price": 1.5}) == ""
    assert fault_of({"outputs": [{"type": "array", "items": item}]}, [{"price": 1.5}]) == ""
    assert "an object" in fault_of({"outputs": [item]}, 1.5)


def test_feedback_that_cannot_be_compared_is_stored_and_says_so(
    spool: Path, make_record: Any, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def recurses(known: Any, record: int, truth: Any) -> str:
        if truth == "deep":
            raise RecursionError
        return problem_of(known, record, truth)

    monkeypatch.setattr(feedback_shipping, "problem_of", recurses)
    prediction = make_record(outputs=[1])
    shipped(spool, prediction, said(prediction, "deep"), said(prediction, 1))
    first, second = Feedback.objects.order_by("id")
    assert ("cannot be compared" in first.problem, second.problem) == (True, "")


def test_rows_cannot_be_changed_or_deleted(spool: Path, make_record: Any, said: Any) -> None:
    shipped(spool, said(make_record(), 1))
    for change in (lambda: Feedback.objects.update(truth=2), lambda: Feedback.objects.all().delete()):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()


def test_of_several_truths_the_one_known_last_counts(spool: Path, make_record: Any, said: Any) -> None:
    prediction = make_record(inputs=[{}, {}], outputs=["a", "b"])
    now = prediction["at"]
    shipped(
        spool,
        prediction,
        said(prediction, "late", known_at=now),
        said(prediction, "imported, known earlier", known_at=now - 1000),
        said(prediction, "other record", record=1, known_at=now - 2000),
    )
    truths = truths_of(Prediction.objects.get())
    assert {record: each.truth for record, each in truths.items()} == {0: "late", 1: "other record"}


def test_people_say_it_in_bulk_and_it_is_audited(
    api: Api, ann: User, spool: Path, make_record: Any, address: str, deployment: Deployment
) -> None:
    typed()
    prediction = make_record(outputs=[1])
    shipped(spool, prediction)
    happened = "2026-11-20T10:00:00+01:00"
    body = {
        "feedback": [
            {"prediction_id": prediction["id"], "truth": 1, "happened_at": happened},
            {"prediction_id": new_prediction_id(), "truth": 0},
            {"response": 1, "truth": 0},
        ]
    }
    answer = api(ann).post(address, body, content_type="application/json")
    assert answer.status_code == 201, answer.json()
    assert (answer.json()["stored"], answer.json()["unmatched"]) == (3, 1)
    first = Feedback.objects.order_by("id").first()
    assert first is not None
    assert first.happened_at == datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert (first.source, first.source_id, first.created_by) == ("person", ann.pk, "ann")
    after: Any = AuditEvent.objects.get(action="feedback.given").after
    assert after["count"] == 3
    rows = api(ann).get(address, {"matched": "true"}).json()["results"]
    assert [row["truth"] for row in rows] == [1]
    assert api(ann).get(address, {"matched": "perhaps"}).status_code == 422
    own = api(ann).get(f"/api/v1/predictions/{prediction['id']}/feedback/").json()["results"]
    assert [row["id"] for row in own] == [rows[0]["id"]]


def test_one_wrong_row_stores_nothing_and_each_wrong_one_is_named(
    api: Api, ann: User, spool: Path, make_record: Any, address: str
) -> None:
    typed()
    prediction = make_record(outputs=[1])
    shipped(spool, prediction)
    future = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    id_ = prediction["id"]
    wrong = [
        {"prediction_id": id_, "truth": 1},
        {"prediction_id": "x", "truth": 1},
        {"prediction_id": id_, "response": 1, "truth": 1},
        {"prediction_id": id_},
        {"prediction_id": id_, "truth": 1, "happened_at": "yesterday"},
        {"prediction_id": id_, "truth": 1, "known_at": future},
        {"prediction_id": id_, "truth": 1, "happened_at": future},
        {"prediction_id": id_, "truth": 1, "record": -1, "label": 2},
        7,
        {"response": 1, "truth": 1, "record": 1},
        {"prediction_id": id_, "truth": 1, "happened_at": "0001-01-01T00:00:00+14:00"},
    ]
    answer = api(ann).post(address, {"feedback": wrong}, content_type="application/json")
    assert answer.status_code == 422
    fields = [error["field"] for error in answer.json()["errors"]]
    assert fields == [
        *("feedback[1].prediction_id", "feedback[2].prediction_id", "feedback[3].truth", "feedback[4].happened_at"),
        *("feedback[5].known_at", "feedback[6].happened_at", "feedback[7].label", "feedback[7].record"),
        *("feedback[8]", "feedback[9].record", "feedback[10].happened_at"),
    ]
    assert all(error["remedy"] for error in answer.json()["errors"])
    badly_typed = [{"prediction_id": id_, "truth": "1"}, {"prediction_id": id_, "truth": 1, "record": 4}]
    answer = api(ann).post(address, {"feedback": badly_typed}, content_type="application/json")
    assert [error["field"] for error in answer.json()["errors"]] == ["feedback[0].truth", "feedback[1].record"]
    assert api(ann).post(address, {"feedback": []}, content_type="application/json").status_code == 422
    assert not Feedback.objects.exists()


def test_a_table_is_typed_by_the_version_and_names_its_wrong_rows(
    api: Api, ann: User, spool: Path, make_record: Any, address: str
) -> None:
    typed()
    prediction = make_record(outputs=[1])
    shipped(spool, prediction)
    id_ = prediction["id"]

    def post(text: str) -> Any:
        return api(ann).generic("POST", address, text.encode(), content_type="text/csv")

    good = f"prediction_id;truth;happened_at\n{id_};1;2026-11-01\n\n{new_prediction_id()};0;\n"
    assert post(f"\ufeff{good}").json()["unmatched"] == 1
    assert [row.truth for row in Feedback.objects.order_by("id")] == [1, 0]
    bad = f"prediction_id,truth\n{id_},1\n{id_},maybe\nnone,1\n{id_},\n"
    answer = post(bad)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["row 4.prediction_id", "row 5.truth"]
    answer = post(f"prediction_id,truth\n{id_},maybe\n")
    assert answer.json()["errors"][0]["field"] == "row 2.truth"
    for text, words in {
        "\n": "names no truth",
        "prediction_id,label\n1,2": "'label'",
        "prediction_id,truth\n": "0 rows",
        'prediction_id,truth\n"a': "no CSV",
        "prediction_id,truth\n1,2,3\n": "Row 2 has 3 cells",
    }.items():
        assert words in post(text).json()["detail"]
    for number in ("1" + "0" * 400, "inf"):
        assert post(f"prediction_id,truth\n{id_},{number}\n").json()["errors"][0]["field"] == "row 2.truth"
    early = post(f"prediction_id,truth,happened_at\n{id_},1,0001-01-01T00:00:00+14:00\n")
    assert early.json()["errors"][0]["field"] == "row 2.happened_at"
    assert api(ann).generic("POST", address, b"\xff\xfe", content_type="text/csv").status_code == 422
    assert Feedback.objects.count() == 2


@pytest.mark.parametrize(
    ("text", "most_read", "words"),
    [
        ("prediction_id,truth\n" + "1,2\n" * 200_000, 10_001, "more than 10000 rows"),
        ("prediction_id,truth\n" + "\n" * 1_000_000, 20_000, "more than 20000 lines"),
        ("a," * 1_000_000, 0, "1000001 cells"),
    ],
)
def test_a_table_is_read_no_further_than_to_its_limit(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, text: str, most_read: int, words: str
) -> None:
    read, whole = [0], csv.reader

    def reads(*args: Any, **options: Any) -> Any:
        for row in whole(*args, **options):
            yield row
            read[0] += 1

    monkeypatch.setattr(csv, "reader", reads)
    with pytest.raises(ValidationFailed, match=words):
        feedback_table.read_table(deployment.endpoint, text.encode())
    assert read[0] <= most_read


def test_truth_of_another_endpoints_prediction_matches_nothing(
    api: Api, ann: User, spool: Path, make_record: Any, address: str
) -> None:
    foreign = make_record()
    shipped(spool, foreign)
    Prediction.objects.update(endpoint_id=new_prediction_id())
    body = {"feedback": [{"prediction_id": foreign["id"], "truth": 1}]}
    assert api(ann).post(address, body, content_type="application/json").json()["unmatched"] == 1
    assert api(ann).get(address).json()["results"][0]["matched"] is False


def test_strangers_find_nothing_and_viewers_may_not(
    api: Api, stranger: User, make_user: Any, spool: Path, make_record: Any, address: str, deployment: Deployment
) -> None:
    viewer, project = make_user("vic"), deployment.endpoint.project
    member = Membership.objects.create(workspace=project.workspace, user=viewer, role="member")
    ProjectMembership.objects.create(project=project, user=viewer, workspace_membership=member, role="viewer")
    body = {"feedback": [{"response": 1, "truth": 0}]}
    assert api(stranger).post(address, body, content_type="application/json").status_code == 404
    assert api(stranger).get(address).status_code == 404
    assert api(viewer).post(address, body, content_type="application/json").status_code == 403
    assert api(viewer).get(address).status_code == 200


def test_coverage_is_the_share_of_answered_records_with_truth_that_counts(
    api: Api, ann: User, spool: Path, make_record: Any, said: Any, address: str, deployment: Deployment
) -> None:
    typed()
    endpoint = deployment.endpoint
    assert coverage(endpoint, days=1).share is None
    answered = [make_record(inputs=[{}, {}], outputs=[1, 0]) for _ in range(2)]
    failed = make_record(outputs=[], status=502, error={"code": "model_error", "message": "no"})
    truths = [said(answered[0], 1), said(answered[0], 0), said(answered[1], "no number"), said(failed, 1, record=7)]
    shipped(spool, *answered, failed, *truths, said({"id": new_prediction_id()}, 1))
    found = coverage(endpoint, days=1)
    assert (found.records, found.with_truth, found.share) == (4, 1, 0.25)
    body = api(ann).get(f"{address}coverage/", {"days": "7"}).json()
    assert (body["records"], body["with_truth"], body["share"]) == (4, 1, 0.25)
    assert api(ann).get(f"{address}coverage/", {"days": "0"}).status_code == 422
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM predictions_feedback")
        assert cursor.fetchone() == (5,)
