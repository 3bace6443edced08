"""Large records stay in the database: a piece of the stream takes no more memory than it may."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from models.endpoints.models import Deployment
from models.events import ordering, selectors
from models.events.batches import next_packet
from models.events.models import Family
from models.events.reading import EVERYTHING, Filters, newest, read
from models.events.rows import PIECE_BYTES, VALUES_BYTES, load, load_without_values
from models.events.services import create_sink
from models.predictions.models import Feedback
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent
from modelwright.audit.services import Target, record
from projects.models import Project

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("tests")
Predict = Callable[..., list[UUID]]
FAMILIES = frozenset({Family.REQUEST.value, Family.ANSWER.value})


def text(size: int) -> list[dict[str, Any]]:
    return [{"note": "x" * size}]


def test_values_that_are_too_large_are_not_read_and_are_told_by_their_address(
    project: Project, ann: User, predict: Predict
) -> None:
    (small,) = predict(1)
    (large,) = predict(1, inputs=text(VALUES_BYTES + 1))
    ordering.tick()
    with CaptureQueriesContext(connection) as queries:
        page = selectors.stream_of(project, ann, after=0, limit=100, families=FAMILIES)
    bodies = {event.id: json.loads(event.body) for event in page.events}
    assert "data" in bodies[f"{small.hex}.request"]
    assert bodies[f"{large.hex}.request"]["dataref"].endswith(f"/predictions/{large}/")
    assert "data" not in bodies[f"{large.hex}.answer"]
    things, _, rows = load(read(0, 100, Filters(project.pk)))
    assert rows.large == {large}
    found = {thing.id: rows.of(thing) for thing in things}
    assert {"inputs", "outputs"} <= found[large].get_deferred_fields()  # type: ignore[union-attr]
    assert not found[small].get_deferred_fields()  # type: ignore[union-attr]
    assert len(queries) < 14
    (asked,) = [each["sql"] for each in queries if "octet_length" in each["sql"] and "_prediction " in each["sql"]]
    assert "pg_column_size" in asked, "sizes are counted once, and of very large values not by making them texts"


def test_a_piece_is_cut_where_it_would_grow_too_large_and_nothing_is_left_out(
    project: Project, ann: User, predict: Predict
) -> None:
    asked = predict(30, inputs=text(VALUES_BYTES - 1000))
    ordering.tick()
    found, position, pieces = [], 0, 0
    while True:
        page = selectors.stream_of(project, ann, after=position, limit=500, families=frozenset({Family.REQUEST.value}))
        if not page.events:
            break
        assert sum(len(event.body) for event in page.events) < PIECE_BYTES + VALUES_BYTES
        found += [event.id.partition(".")[0] for event in page.events]
        position, pieces = page.position, pieces + 1
    assert found == [id_.hex for id_ in asked]
    assert pieces > 2


def test_a_packet_reads_no_more_than_a_piece(project: Project, predict: Predict, receiver: Any) -> None:
    asked = predict(30, inputs=text(VALUES_BYTES - 1000))
    ordering.tick()
    sink, _ = create_sink(project, name="s", url=receiver.url, start="oldest", acting_user=Actor.system("tests"))
    packet = next_packet(sink)
    assert 0 < len(packet.events) < len(asked)


def test_the_page_of_the_newest_reads_no_values(project: Project, predict: Predict) -> None:
    predict(3)
    ordering.tick()
    assert len(selectors.newest_of(project, limit=20, families=FAMILIES)) == 6
    things = newest(20, Filters(project.pk))
    rows = load_without_values(things)
    hidden = {"prediction": "inputs", "change": "after"}
    assert {thing.kind for thing in things} == set(hidden)
    assert all(hidden[thing.kind] in rows.of(thing).get_deferred_fields() for thing in things)  # type: ignore[union-attr]


def test_feedback_and_changes_count_as_well(
    project: Project, deployment: Deployment, ann: User, predict: Predict
) -> None:
    def say(truth: str) -> UUID:
        values = {"endpoint_id": deployment.endpoint_id, "project_id": project.pk, "source": "key"}
        return Feedback.objects.create(truth=truth, response="r", known_at=timezone.now(), **values).pk

    def note(reason: str) -> UUID:
        target = Target("endpoint", deployment.endpoint_id, "wine")
        action = AuditAction.ENDPOINT_CHANGED
        record(acting_user=SYSTEM, action=action, target=target, reason=reason, project_id=project.pk)
        return AuditEvent.objects.latest("id").pk

    ordering.tick()
    start = ordering.head().position
    with transaction.atomic():
        small = [say("x"), note("x")]
        large = [say("x" * (VALUES_BYTES + 1)), note("x" * (VALUES_BYTES + 1))]
        for _ in range(20):
            note("x" * (VALUES_BYTES - 100))
    ordering.tick()
    piece = read(start, 500, Filters(project.pk))
    assert len(piece.things) == 24
    things, end, rows = load(piece)
    assert len(things) == 4 + PIECE_BYTES // VALUES_BYTES
    assert end == things[-1].position < piece.end
    assert rows.large == set(large)
    events = selectors.stream_of(project, ann, after=start, limit=4, families=EVERYTHING).events
    told = {UUID(event.id): json.loads(event.body) for event in events}
    assert all("data" in told[id_] for id_ in small)
    assert told[large[0]]["dataref"].endswith(f"/endpoints/{deployment.endpoint_id}/feedback/")
    assert told[large[1]]["dataref"].endswith(f"/audit-events/{large[1]}/")
