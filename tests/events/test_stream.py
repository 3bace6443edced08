"""The stream: everything that is stored is in it once, in an order that no reader ever sees change."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections, transaction

from models.endpoints import services as endpoint_services
from models.endpoints.models import Deployment
from models.events import ordering, subscribing
from models.events.models import Arrival, StreamHead, Subscriber
from models.events.reading import Filters, backlog, newest, read
from models.gateway.ids import new_prediction_id
from models.predictions.models import Feedback, Prediction
from models.predictions.partitions import make_ahead
from models.predictions.storing import store
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.core.errors import Conflict
from tests.events.conftest import record_of

ALL = Filters(families=("request", "feedback"))
Predict = Callable[..., list[UUID]]


def ids_after(position: int, limit: int = 1000, filters: Filters = ALL) -> list[UUID]:
    return [thing.id for thing in read(position, limit, filters).things]


@pytest.mark.django_db
def test_predictions_feedback_and_changes_have_positions_without_gaps(predict: Predict, deployment: Deployment) -> None:
    first, second = predict(2)
    assert read(0, 10, ALL) == ([], 0)
    ordering.tick()
    Feedback.objects.create(
        endpoint_id=deployment.endpoint_id, prediction_id=first, truth=1, known_at="2026-11-27T10:00Z", source="key"
    )
    ordering.tick()
    things = read(0, 100, Filters()).things
    assert [thing.kind for thing in things[-3:]] == ["prediction", "prediction", "feedback"]
    assert [thing.id for thing in things[-3:-1]] == [first, second]
    assert "deployment.created" in [thing.what for thing in things]
    everything = [position for arrival in Arrival.objects.all() for position in places(arrival)]
    assert sorted(everything) == list(range(1, StreamHead.objects.get().position + 1))


def places(arrival: Arrival) -> list[int]:
    assert arrival.first is not None
    assert arrival.size == len(arrival.ids)
    return list(range(arrival.first, arrival.first + arrival.size))


@pytest.mark.django_db
def test_a_reader_goes_on_within_what_was_stored_at_once(predict: Predict) -> None:
    ids = [*predict(5), *predict(4)]
    ordering.tick()
    position, found = 0, []
    while (piece := read(position, 2, ALL)).things:
        assert len(piece.things) <= 2
        found += [thing.id for thing in piece.things]
        position = piece.end
        assert backlog(position, ALL)[0] == 9 - len(found)
    assert found == ids
    assert position == StreamHead.objects.get().position
    assert [thing.id for thing in newest(3, ALL)] == ids[:-4:-1]


@pytest.mark.django_db
def test_what_is_stored_twice_or_moved_to_its_day_is_in_the_stream_once(deployment: Deployment) -> None:
    old = record_of(deployment, id="017f22e2-79b0-7cc3-98c4-dc0c0c07398f".replace("-", ""))
    ahead = record_of(deployment, id=f"{0x0200_0000_0000:012x}7cc398c4dc0c0c07398f")
    assert store([old, ahead]) == 2
    assert store([old, record_of(deployment)]) == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM predictions_prediction_default")
        assert cursor.fetchone()[0] >= 1
    make_ahead(Prediction.objects.get(pk=UUID(ahead["id"])).at.date().replace(year=2039, month=7, day=2))
    ordering.tick()
    found = ids_after(0)
    assert len(found) == len(set(found)) == 3


@pytest.mark.django_db
def test_an_audit_row_is_written_whatever_it_names(deployment: Deployment) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_auditevent (id, created_at, at, actor_kind, actor_name, actor_role, action, target_kind,"
            " target_id, target_name, after, reason, request_id, address, project_id) VALUES (gen_random_uuid(), now(),"
            " now(), 'system', 'x', '', 'rollout.started', 'deployment', 'no id', 'x', '[1]', '', '', '', %s)",
            [deployment.endpoint.project_id],
        )
    arrival = Arrival.objects.latest("id")
    assert (arrival.what, arrival.endpoint_id) == ("rollout.started", None)


@pytest.mark.django_db
def test_what_is_rolled_back_never_was_in_the_stream(deployment: Deployment) -> None:
    with transaction.atomic():
        store([record_of(deployment)])
        transaction.set_rollback(True)
    ordering.tick()
    assert ids_after(0) == []


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_commits_late_is_not_skipped(deployment: Deployment) -> None:
    """Ids and insertions come first, the commit long after others': a reader between gets all, each once."""
    stored, go_on = threading.Event(), threading.Event()
    # Of another minute: what is counted of both at once would make them wait for each other.
    late, early = record_of(deployment, at=time.time() - 3600), record_of(deployment)

    def store_late() -> None:
        try:
            with transaction.atomic():
                store([late])
                stored.set()
                assert go_on.wait(30)
        finally:
            connections.close_all()

    thread = threading.Thread(target=store_late)
    thread.start()
    assert stored.wait(30)
    store([early])
    ordering.tick()
    position = read(0, 10, ALL).end
    assert ids_after(0) == [UUID(early["id"])]
    go_on.set()
    thread.join(30)
    assert ids_after(position) == []
    ordering.tick()
    assert ids_after(position) == [UUID(late["id"])]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_skipped_or_read_twice_while_many_store(deployment: Deployment) -> None:
    """Writers commit in any order, some roll back, two give out positions, and one reads all the while."""
    committed: list[str] = []
    over = threading.Event()
    read_ids: list[UUID] = []

    def write(writer: int) -> None:
        for turn in range(25):
            records = [record_of(deployment, at=time.time() - 3600 * writer) for _ in range(turn % 3 + 1)]
            with transaction.atomic():
                store(records[:1])
                over.wait(0.002 * (turn % 5))
                store(records[1:])
                transaction.set_rollback(turn % 7 == 6)
            if turn % 7 != 6:
                committed.extend(record["id"] for record in records)

    def give_positions() -> None:
        while not over.is_set():
            ordering.tick(limit=3)
            over.wait(0.003)

    def subscribe() -> None:
        while not over.wait(0.002) or not is_at_the_end():
            with transaction.atomic():
                batch = subscribing.read("test", 2, filters=ALL)
                subscribing.commit(batch)
            read_ids.extend(thing.id for thing in batch.things)

    def is_at_the_end() -> bool:
        return Subscriber.objects.get(name="test").position == ordering.head().position

    def closing(work: Callable[..., None], *args: Any) -> threading.Thread:
        def run() -> None:
            try:
                work(*args)
            finally:
                connections.close_all()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    others = [closing(give_positions), closing(give_positions), closing(subscribe)]
    writers = [closing(write, writer) for writer in range(4)]
    for thread in writers:
        thread.join(60)
    # All is committed; what has no position yet gets one before anybody stops.
    ordering.tick()
    over.set()
    for thread in others:
        thread.join(60)
    assert len(committed) > 100
    assert sorted(read_ids) == sorted(UUID(id_) for id_ in committed)


@pytest.mark.django_db
def test_a_subscriber_moves_with_what_it_does_or_not_at_all(predict: Predict) -> None:
    first, second = predict(2)
    ordering.tick()
    with transaction.atomic():
        subscribing.commit(subscribing.read("drift", filters=ALL))
        transaction.set_rollback(True)
    batch = subscribing.read("drift", 1, filters=ALL)
    assert [thing.id for thing in batch.things] == [first]
    row = batch.rows.of(batch.things[0])
    assert isinstance(row, Prediction)
    assert row.outputs == ["one:0"]
    same = subscribing.read("drift", 1, filters=ALL)
    subscribing.commit(batch)
    with pytest.raises(Conflict):
        subscribing.commit(same)
    assert [thing.id for thing in subscribing.read("drift", filters=ALL).things] == [second]
    assert subscribing.read("new", start=subscribing.END).things == []


@pytest.mark.django_db
def test_filters_are_by_project_endpoint_and_family(predict: Predict, deployment: Deployment, ann: User) -> None:
    predict(3)
    project = deployment.endpoint.project
    other = endpoint_services.create_endpoint(project=project, name="other", acting_user=Actor.person(ann))
    ordering.tick()

    def count(filters: Filters) -> int:
        return len(read(0, 100, filters).things)

    assert count(Filters(project.pk, families=("answer",))) == 3
    assert count(Filters(UUID(new_prediction_id()), families=("answer",))) == 0
    assert count(Filters(project.pk, [other.pk], ("answer",))) == 0
    changes = read(0, 100, Filters(project.pk, [other.pk])).things
    assert [thing.what for thing in changes] == ["endpoint.created"]
    assert {t.what for t in read(0, 100, Filters(families=("deployment",))).things} == {
        "endpoint.created",
        "deployment.created",
    }
