"""From the gateways' spools into PostgreSQL, each acknowledged prediction exactly once.

Rows and the position after them are written in one transaction, so that a shipper that is killed anywhere goes on where
the last commit left off; ids make a repeated row harmless, and it is not counted again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction

from lineage import names
from lineage.kinds import EdgeKind, Origin
from lineage.services import EdgeSpec
from lineage.services import add as add_lineage
from models.endpoints.models import Deployment
from models.gateway import feedback
from models.gateway.spool import HEAD, Finish, Segment, finish, list_segments, read_bodies
from models.predictions.feedback_shipping import store as store_feedback
from models.predictions.models import SpoolPosition
from models.predictions.names import is_id
from models.predictions.records import Record, decode
from models.predictions.spool_health import Noting
from models.predictions.storing import store
from modelwright.core import counting, pulse

logger = logging.getLogger(__name__)

BATCH_RECORDS = 10_000
BATCH_BYTES = 16 * 1024 * 1024
IDLE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0

TROUBLE = (DatabaseError, InterfaceError, psycopg.Error, OSError)
# What a record that is no prediction calls itself, and who stores a batch of such, in the transaction of the position.
KINDS: dict[str, Callable[[Sequence[Record]], object]] = {feedback.KIND: store_feedback}


def spool_folder() -> Path:
    """Where the gateways of this host write."""
    return Path(settings.DATA_DIR) / "gateway" / "spool"


def ship_once(folder: Path) -> int:
    """Ship one batch of every segment; return how many records were read.

    Raises DatabaseError while PostgreSQL does not answer: nothing is lost, the next call begins where this one did.
    """
    return sum(_ship_segment(segment) for segment in list_segments(folder))


def run(folder: Path, stop: threading.Event) -> None:
    """Ship until `stop` is set, whatever happens to PostgreSQL meanwhile. Trouble is logged once, then its end."""
    pause, in_trouble = IDLE_SECONDS, False
    noting = Noting(folder)
    while not stop.is_set():
        pulse.beat()
        try:
            noting.note()
            moved = ship_once(folder)
        except TROUBLE as error:
            if not in_trouble:
                logger.error("predictions stay in the spool for now: %s", error)
            in_trouble = True
            counting.count(counting.SHIPPER_TROUBLE)
            connection.close()
            stop.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            continue
        if in_trouble:
            logger.info("predictions are shipped again")
        pause, in_trouble = IDLE_SECONDS, False
        counting.count(counting.SHIPPED, moved)
        counting.flush_if_due()
        if not moved:
            stop.wait(IDLE_SECONDS)
    connection.close()


def _ship_segment(segment: Segment) -> int:
    try:
        head = _head(segment.path)
        count, offset = _ship_batch(segment, head)
        if count == 0 and finish(segment.path, offset) in (Finish.DELETED, Finish.SET_ASIDE):
            SpoolPosition.objects.filter(pk=segment.path.name).delete()
    except FileNotFoundError:
        SpoolPosition.objects.filter(pk=segment.path.name).delete()
        return 0
    return count


def _head(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(HEAD.size).hex()


@transaction.atomic
def _ship_batch(segment: Segment, head: str) -> tuple[int, int]:
    """(records read, offset after them)."""
    SpoolPosition.objects.bulk_create([SpoolPosition(segment=segment.path.name, head=head)], ignore_conflicts=True)
    position = SpoolPosition.objects.select_for_update().get(pk=segment.path.name)
    offset = position.offset if position.head == head else 0
    records, end = _read(segment.path, offset)
    _store(records)
    if end != position.offset or position.head != head:
        position.offset, position.head = end, head
        position.save(update_fields=["offset", "head", "updated_at"])
    return len(records), end


def _read(path: Path, offset: int) -> tuple[list[Record], int]:
    records: list[Record] = []
    end = offset
    for body, end in read_bodies(path, offset):
        records.append(decode(body))
        if len(records) >= BATCH_RECORDS or end - offset >= BATCH_BYTES:
            break
    return records, end


def _store(records: Sequence[Record]) -> None:
    """Predictions first: what follows may speak of them."""
    predictions = [record for record in records if "kind" not in record]
    if predictions:
        store(predictions)
        named = {str(record.get("deployment_id")) for record in predictions}
        _record_lineage({deployment_id for deployment_id in named if is_id(deployment_id)})
    for kind in {record["kind"] for record in records if "kind" in record}:
        of_kind = [record for record in records if record.get("kind") == kind]
        if kind in KINDS:
            KINDS[kind](of_kind)
        else:
            logger.error("%d records of the spool are of an unknown kind: %.2000r", len(of_kind), of_kind)


_known: set[str] = set()


def _record_lineage(deployment_ids: set[str]) -> None:
    """One node for all predictions of a deployment."""
    unknown = deployment_ids - _known
    for deployment in Deployment.objects.filter(pk__in=unknown).select_related("endpoint__workspace"):
        endpoint = deployment.endpoint
        served = names.deployment(endpoint.project_id, deployment.pk, f"{endpoint.name} #{deployment.number}")
        made = names.predictions(endpoint.project_id, deployment.pk, f"of {endpoint.name} #{deployment.number}")
        add_lineage(edges=[EdgeSpec(served, made, EdgeKind.PREDICTED, origin=Origin.OBSERVED)])
    # Forgotten when the transaction fails, and by a restart; adding twice is harmless.
    transaction.on_commit(lambda: _known.update(unknown))
