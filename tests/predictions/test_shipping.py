"""Every acknowledged prediction reaches the table once, whatever is killed or stopped on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from django.db import IntegrityError, connection
from django.db.models import Sum

from lineage.models import Edge
from models.gateway.spool import HEAD, encode_record, read_bodies, segment_path
from models.gateway.spool_writer import SpoolWriter
from models.predictions import shipping, spool_health, storing
from models.predictions.models import Feedback, Prediction, PredictionBucket, SpoolPosition
from modelwright.local.layout import REPOSITORY
from tests.jobs.servers import test_database_url as database_url
from tests.models_support import wait_for

Record = dict[str, Any]
MakeRecord = Callable[..., Record]


def write(spool: Path, records: list[Record], sequence: int = 1) -> Path:
    path = segment_path(spool, "g", sequence)
    with path.open("ab") as file:
        file.write(b"".join(encode_record(record) for record in records))
    return path


def ship_all(spool: Path) -> None:
    while shipping.ship_once(spool):
        pass


@pytest.mark.django_db
def test_records_become_rows_with_names_and_the_segment_goes(spool: Path, make_record: MakeRecord) -> None:
    records = [make_record(outputs=[f"one:{i}"], probabilities=[[0.1, 0.9]]) for i in range(5)]
    path = write(spool, records)
    ship_all(spool)
    rows = list(Prediction.objects.order_by("id"))
    assert [row.id.hex for row in rows] == [record["id"] for record in records]
    first = rows[0]
    assert (first.endpoint_name, first.model_name, first.version_number) == ("acme/wine", "wine", 3)
    assert (first.deployment_number, first.key_name) == (1, "The endpoint's page")
    assert (first.inputs, first.outputs, first.probabilities) == ([{"alcohol": 13.2}], ["one:0"], [[0.1, 0.9]])
    assert abs(first.at.timestamp() - records[0]["at"]) < 0.001
    assert not path.exists()
    assert not SpoolPosition.objects.exists()


@pytest.mark.django_db
def test_shipping_again_doubles_nothing(spool: Path, make_record: MakeRecord) -> None:
    records = [make_record() for _ in range(10)]
    path = write(spool, records)
    content = path.read_bytes()
    ship_all(spool)
    path.write_bytes(content)
    ship_all(spool)
    assert Prediction.objects.count() == 10


@pytest.mark.django_db
def test_a_segment_in_use_is_read_on_and_stays(spool: Path, make_record: MakeRecord) -> None:
    writer = SpoolWriter(spool, "g")
    writer.append(encode_record(make_record()))
    ship_all(spool)
    assert Prediction.objects.count() == 1
    writer.append(encode_record(make_record()))
    ship_all(spool)
    assert Prediction.objects.count() == 2
    assert len(list(spool.iterdir())) == 1
    writer.close()
    ship_all(spool)
    assert not list(spool.iterdir())


@pytest.mark.django_db
def test_a_torn_end_is_left_alone_until_the_gateway_is_gone(spool: Path, make_record: MakeRecord) -> None:
    path = write(spool, [make_record()])
    with path.open("ab") as file:
        file.write(encode_record(make_record())[:20])
    ship_all(spool)
    assert Prediction.objects.count() == 1
    assert not path.exists()


@pytest.mark.django_db
def test_another_segment_under_the_same_name_is_read_from_its_beginning(spool: Path, make_record: MakeRecord) -> None:
    write(spool, [make_record()])
    SpoolPosition.objects.create(segment="g-0000000001.spool", head="00" * 8, offset=10)
    ship_all(spool)
    assert Prediction.objects.count() == 1


@pytest.mark.django_db
def test_values_that_postgresql_does_not_know_are_stored_all_the_same(spool: Path, make_record: MakeRecord) -> None:
    odd = [
        make_record(inputs=[{"text": "nul \0 here", "back": "\\u0000"}]),
        make_record(inputs=[{"text": "emoji 🍷 and \u2028"}]),
        make_record(inputs=[{"large": 1.7e308, "small": 5e-324}]),
        make_record(outputs=[{"nested": [None, {"a": "\0"}]}]),
        make_record(key_id=""),
    ]
    write(spool, [make_record(), *odd, make_record()])
    ship_all(spool)
    assert Prediction.objects.count() == 7
    assert Prediction.objects.get(pk=odd[0]["id"]).inputs == [{"text": "nul \ufffd here", "back": "\\u0000"}]


@pytest.mark.django_db
def test_all_predictions_of_a_deployment_are_one_node(spool: Path, make_record: MakeRecord) -> None:
    write(spool, [make_record() for _ in range(20)])
    ship_all(spool)
    write(spool, [make_record() for _ in range(20)], sequence=2)
    ship_all(spool)
    edge = Edge.objects.get(dst__kind="predictions")
    assert edge.src.kind == "deployment"


class Killed(BaseException):
    """What nothing catches, as nothing catches a signal."""


@pytest.mark.parametrize("point", ["count", "add_lineage", "save", "finish"])
@pytest.mark.django_db(transaction=True)
def test_wherever_the_shipper_ends_each_record_is_stored_and_counted_once(
    spool: Path, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    owners: dict[str, Any] = {"count": storing, "add_lineage": shipping, "save": SpoolPosition, "finish": shipping}
    write(spool, [make_record() for _ in range(5)])

    def die(*_args: Any, **_options: Any) -> None:
        raise Killed

    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(owners[point], point, die)
            with pytest.raises(Killed):
                ship_all(spool)
        write(spool, [make_record()])
    ship_all(spool)
    assert Prediction.objects.count() == 7
    assert PredictionBucket.objects.aggregate(requests=Sum("count")) == {"requests": 7}
    assert not list(spool.iterdir())


@pytest.mark.django_db(transaction=True)
def test_a_lost_connection_is_survived(spool: Path, make_record: MakeRecord) -> None:
    stop = threading.Event()
    shipper = threading.Thread(target=shipping.run, args=(spool, stop))
    shipper.start()
    try:
        expected = 0
        for sequence in range(1, 6):
            write(spool, [make_record() for _ in range(50)], sequence)
            expected += 50
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            wait_for(lambda: Prediction.objects.count() == expected, seconds=60)  # noqa: B023
    finally:
        stop.set()
        shipper.join()
    assert Prediction.objects.count() == 250


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_killed_shipper_loses_and_doubles_nothing(tmp_path: Path, make_record: MakeRecord) -> None:
    data = tmp_path / "data"
    spool = data / "gateway" / "spool"
    spool.mkdir(parents=True)
    environment = {**os.environ, "DATABASE_URL": database_url(), "MODELWRIGHT_DATA_DIR": str(data)}
    command = [sys.executable, "manage.py", "ship"]
    ids: list[str] = []
    for sequence in range(1, 5):
        shipper = subprocess.Popen(command, cwd=REPOSITORY, env=environment)
        try:
            seen = Prediction.objects.count()
            for part in range(8):
                records = [make_record() for _ in range(500)]
                ids += [record["id"] for record in records]
                write(spool, records, sequence * 100 + part)
            wait_for(lambda: Prediction.objects.count() > seen, pause=0.001)  # noqa: B023
            if sequence < 4:
                shipper.send_signal(signal.SIGKILL)
            else:
                wait_for(lambda: not list(spool.iterdir()))
                shipper.send_signal(signal.SIGTERM)
        finally:
            code = shipper.wait(60)
    assert code == 0
    assert sorted(ids) == [row.hex for row in Prediction.objects.order_by("id").values_list("id", flat=True)]
    counted = PredictionBucket.objects.aggregate(requests=Sum("count"), rows=Sum("rows"))
    assert counted == {"requests": len(ids), "rows": len(ids)}


Store = Callable[[list[Record]], object]


@pytest.fixture
def troubled(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the storing of records with the mark `bad` fail in a way that nobody thought of, for those of a kind."""

    def fails(store: Store, error: Exception) -> Store:
        def stores(records: list[Record]) -> object:
            stored = store(records)
            if any("bad" in record for record in records):
                raise error
            return stored

        return stores

    def trouble(kind: str, error: Exception) -> None:
        if kind:
            monkeypatch.setitem(shipping.KINDS, kind, fails(shipping.KINDS[kind], error))
        else:
            monkeypatch.setattr(shipping, "store", fails(storing.store, error))

    return trouble


def feedback_on(prediction: Record, **changes: Any) -> Record:
    same = {name: prediction[name] for name in ("id", "at", "endpoint_id", "key_id")}
    own = {"kind": "feedback", "prediction_id": None, "record": 0, "truth": 1, "response": 1, "known_at": same["at"]}
    return {**same, **own, **changes}


@pytest.mark.parametrize("error", [RecursionError("too deep"), RuntimeError("?"), IntegrityError("a check")])
@pytest.mark.parametrize("kind", ["", "feedback"])
@pytest.mark.django_db
def test_records_that_cannot_be_stored_hold_up_no_other_and_are_shipped_once_they_can_be(
    spool: Path, make_record: MakeRecord, troubled: Any, kind: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [make_record() for _ in range(40)]
    given = [feedback_on(make_record(), response=number) for number in range(40)]
    for number in (0, 17, 39):
        (given if kind else made)[number]["bad"] = True
    path = write(spool, [record for pair in zip(made, given, strict=True) for record in pair])
    troubled(kind, error)
    ship_all(spool)
    assert (Prediction.objects.count(), Feedback.objects.count()) == ((40, 37) if kind else (37, 40))
    assert PredictionBucket.objects.aggregate(requests=Sum("count")) == {"requests": Prediction.objects.count()}
    aside = path.with_name(f"{path.name}.unstorable")
    assert list(spool.iterdir()) == [aside]
    monkeypatch.undo()
    aside.rename(path)
    ship_all(spool)
    assert (Prediction.objects.count(), Feedback.objects.count()) == (40, 40)
    assert not list(spool.iterdir())


@pytest.mark.django_db
def test_what_is_no_record_or_of_an_unknown_kind_is_set_aside(spool: Path, make_record: MakeRecord) -> None:
    odd: list[Any] = [7, [], "text", {"kind": ["feedback"]}, {"kind": "unheard of"}, {"kind": None}]
    path = write(spool, [*odd, make_record()])
    with path.open("ab") as file:
        body = b'{"outputs": '
        file.write(HEAD.pack(len(body), zlib.crc32(body)) + body)
    write(spool, [make_record()], sequence=2)
    assert spool_health.measure(spool)[0] > 0
    ship_all(spool)
    assert Prediction.objects.count() == 2
    kept = [body for body, _ in read_bodies(path.with_name(f"{path.name}.unstorable"))]
    assert sorted(kept) == sorted([*(orjson.dumps(each) for each in odd), body])


@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize(("at", "byte"), [(30, b"\0"), (0, b"\x05"), (0, b"\xff")])
@pytest.mark.django_db
def test_damage_in_a_segment_costs_no_other_record_and_is_told(
    spool: Path, make_record: MakeRecord, caplog: pytest.LogCaptureFixture, at: int, byte: bytes, *, is_open: bool
) -> None:
    records = [make_record() for _ in range(6)]
    encoded = [encode_record(record) for record in records]
    writer = SpoolWriter(spool, "g")
    for each in encoded:
        writer.append(each)
    (path,) = spool.iterdir()
    for damaged in (1, 3):
        with path.open("r+b") as file:
            file.seek(sum(map(len, encoded[:damaged])) + at)
            file.write(byte)
    if not is_open:
        writer.close()
    for _ in range(2):
        ship_all(spool)
    stored = Prediction.objects.order_by("id").values_list("id", flat=True)
    assert [id_.hex for id_ in stored] == [records[number]["id"] for number in (0, 2, 4, 5)]
    assert PredictionBucket.objects.aggregate(requests=Sum("count")) == {"requests": 4}
    for damaged in (1, 3):
        assert (
            f"{len(encoded[damaged])} bytes of {path}, from byte {sum(map(len, encoded[:damaged]))} on" in caplog.text
        )
    assert caplog.text.count("ERROR") == 2
    spool_health.Noting(spool).note()
    assert spool_health.measure(spool) == (0, None)
    assert "cannot be read, so acknowledged records may be missing; all others are stored: check the disk" in (
        spool_health.spool_fault()
    )
    assert f"{path.name}.damaged, in {spool}" in spool_health.spool_fault()
    assert spool_health.late_fault() == ""
    writer.append(encode_record(make_record()))
    writer.close()
    ship_all(spool)
    assert Prediction.objects.count() == 5
    for left in spool.iterdir():
        left.unlink()
    spool_health.Noting(spool).note()
    assert spool_health.spool_fault() == ""


@pytest.mark.django_db
def test_what_nothing_can_be_made_of_is_set_aside_and_told(spool: Path, make_record: MakeRecord) -> None:
    good, said = make_record(), feedback_on(make_record())
    bad = [
        make_record(at="noon"),
        make_record(endpoint_id="no"),
        make_record(latency_ms=None),
        feedback_on(make_record(), known_at=-62135648400.0),
        feedback_on(make_record(), id="no"),
    ]
    path = write(spool, [bad[0], good, *bad[1:], said])
    ship_all(spool)
    assert (Prediction.objects.get().id.hex, Feedback.objects.get().id.hex) == (good["id"], said["id"])
    (aside,) = spool.iterdir()
    assert aside.name == f"{path.name}.unstorable"
    assert [orjson.loads(body) for body, _ in read_bodies(aside)] == bad
    spool_health.Noting(spool).note()
    assert "cannot be stored" in spool_health.spool_fault()
    assert aside.name in spool_health.spool_fault()


@pytest.mark.django_db
def test_lineage_that_cannot_be_recorded_costs_no_prediction(
    spool: Path, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(shipping, "add_lineage", fail)
        write(spool, [make_record()])
        ship_all(spool)
    assert (Prediction.objects.count(), Edge.objects.count(), list(spool.iterdir())) == (1, 0, [])
    write(spool, [make_record()])
    ship_all(spool)
    assert Edge.objects.filter(dst__kind="predictions").exists()


@pytest.mark.django_db
def test_a_segment_in_trouble_holds_up_no_other_and_the_shipper_goes_on(
    spool: Path, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write(spool, [make_record()])
    write(spool, [make_record()], sequence=2)
    read, stop, tries = read_bodies, threading.Event(), [0]

    def reads(path: Path, offset: int) -> Any:
        if path == first and tries[0] < 2:
            tries[0] += 1
            raise RuntimeError("nobody thought of it")
        if Prediction.objects.count() == 2:
            stop.set()
        return read(path, offset)

    monkeypatch.setattr(shipping, "read_bodies", reads)
    monkeypatch.setattr(shipping, "connection", SimpleNamespace(close=lambda: None))
    with pytest.raises(RuntimeError):
        shipping.ship_once(spool)
    assert Prediction.objects.count() == 1
    write(spool, [make_record()], sequence=3)
    stopper = threading.Timer(60, stop.set)
    stopper.start()
    shipping.run(spool, stop)
    stopper.cancel()
    assert Prediction.objects.count() == 3
    assert tries == [2]


def as_gateways_write(record: Record) -> bytes:
    """With the size of the inputs before them."""
    inputs = orjson.dumps(record["inputs"])
    head = {name: record[name] for name in record if name not in ("inputs", "outputs")}
    rest = {"rows": len(record["inputs"]), "inputs_size": len(inputs), "inputs": orjson.Fragment(inputs)}
    return encode_record({**head, **rest, "outputs": record["outputs"]})


@pytest.mark.parametrize(
    "inputs",
    [
        [{"a": 1}, {"a": None}],
        [{"text": 'quotes " and \\ and \n and \t and ü 🍷'}],
        [{"text": "nul \0"}],
        [{"a": 1, "inputs_size": 3, "inputs": [1], "outputs": {"x": 2}}],
        [{"text": ',"inputs_size":3,"inputs":'}],
        [],
    ],
)
@pytest.mark.django_db
def test_inputs_are_stored_as_they_are_in_either_form(spool: Path, make_record: MakeRecord, inputs: list[Any]) -> None:
    old, new = make_record(inputs=inputs), make_record(inputs=inputs, outputs=[{"inputs_size": 1, "inputs": 2}])
    write(spool, [old])
    with segment_path(spool, "g", 2).open("wb") as file:
        file.write(as_gateways_write(new))
    ship_all(spool)
    expected = [{name: v.replace("\0", "\ufffd") if isinstance(v, str) else v for name, v in r.items()} for r in inputs]
    for record in (old, new):
        row = Prediction.objects.get(pk=record["id"])
        assert (row.inputs, row.outputs, row.rows) == (expected, record["outputs"], len(inputs))
