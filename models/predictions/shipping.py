"""From the gateways' spools into PostgreSQL, each acknowledged prediction exactly once.

Rows and the position after them are written in one transaction, so that a shipper that is killed anywhere goes on where
the last commit left off; ids make a repeated row harmless, and it is not counted again. A record that cannot be stored
holds up no other: it is found by halving the batch, and set aside (`aside.py`) in the same step.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils.module_loading import import_string

from lineage import names
from lineage.kinds import EdgeKind, Origin
from lineage.services import EdgeSpec
from lineage.services import add as add_lineage
from models.endpoints.models import Deployment
from models.gateway import feedback
from models.gateway.spool import HEAD, Finish, Segment, behind_damage, finish, list_segments, read_bodies
from models.predictions.aside import set_aside
from models.predictions.feedback_shipping import store as store_feedback
from models.predictions.models import SpoolPosition
from models.predictions.names import is_id
from models.predictions.records import Record, decode
from models.predictions.spool_health import Noting
from models.predictions.storing import store
from modelwright.core import counting, pulse
from modelwright.core.trouble import comes_again

logger = logging.getLogger(__name__)

BATCH_RECORDS = 10_000
BATCH_BYTES = 16 * 1024 * 1024
IDLE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
UNREADABLE = (ValueError, TypeError, AttributeError, IndexError, RecursionError)

DATABASE_TROUBLE = (DatabaseError, InterfaceError, psycopg.Error)
TROUBLE = (*DATABASE_TROUBLE, OSError)
Storing = Callable[[Sequence[Record]], object]
# What a record that is no prediction calls itself, and who stores a batch of such, in the transaction of the position.
# Rooms above this one name theirs in `SPOOL_KINDS`.
KINDS: dict[str, Storing] = {feedback.KIND: store_feedback}


def spool_folder() -> Path:
    """Where the gateways of this host write."""
    return Path(settings.DATA_DIR) / "gateway" / "spool"


def ship_once(folder: Path) -> int:
    """Ship one batch of every segment; return how many records were read.

    Raises DatabaseError while PostgreSQL does not answer: nothing is lost, the next call begins where this one did.
    What is wrong with one segment is raised after the others had their turn.
    """
    moved = 0
    wrong: Exception | None = None
    for segment in list_segments(folder):
        try:
            moved += _ship_segment(segment)
        except DATABASE_TROUBLE:
            raise
        except Exception as error:
            wrong = wrong or error
            logger.debug("%s cannot be shipped", segment.path.name, exc_info=True)
    if wrong is not None:
        raise wrong
    return moved


def run(folder: Path, stop: threading.Event) -> None:
    """Ship until `stop` is set, whatever happens meanwhile. Trouble is logged once, then its end."""
    pause, in_trouble = IDLE_SECONDS, False
    noting = Noting(folder)
    while not stop.is_set():
        pulse.beat()
        try:
            noting.note()
            moved = ship_once(folder)
        except Exception as error:
            if not in_trouble:
                unknown = not isinstance(error, TROUBLE)
                logger.error("predictions stay in the spool for now: %s", error, exc_info=unknown)
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
        if count == 0:
            finished = finish(segment.path, offset)
            if finished in (Finish.DELETED, Finish.SET_ASIDE):
                SpoolPosition.objects.filter(pk=segment.path.name).delete()
            elif finished is Finish.DAMAGED and _pass_damage(segment, head, offset):
                count, _ = _ship_batch(segment, head)
    except FileNotFoundError:
        SpoolPosition.objects.filter(pk=segment.path.name).delete()
        return 0
    return count


def _pass_damage(segment: Segment, head: str, offset: int) -> bool:
    """Go on behind what is damaged at `offset`; whether that was to be done. It is kept already."""
    after = behind_damage(segment.path, offset)
    if after is None:
        return False
    here = SpoolPosition.objects.filter(pk=segment.path.name, head=head, offset=offset)
    return bool(here.update(offset=after))


def _head(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(HEAD.size).hex()


@transaction.atomic
def _ship_batch(segment: Segment, head: str) -> tuple[int, int]:
    """(records read, offset after them)."""
    SpoolPosition.objects.bulk_create([SpoolPosition(segment=segment.path.name, head=head)], ignore_conflicts=True)
    position = SpoolPosition.objects.select_for_update().get(pk=segment.path.name)
    offset = position.offset if position.head == head else 0
    bodies, end = _read(segment.path, offset)
    if unstorable := _store(bodies):
        set_aside(segment.path, unstorable)
    if end != position.offset or position.head != head:
        position.offset, position.head = end, head
        position.save(update_fields=["offset", "head", "updated_at"])
    return len(bodies), end


def _read(path: Path, offset: int) -> tuple[list[bytes], int]:
    bodies: list[bytes] = []
    end = offset
    for body, end in read_bodies(path, offset):
        bodies.append(body)
        if len(bodies) >= BATCH_RECORDS or end - offset >= BATCH_BYTES:
            break
    return bodies, end


# A record and the body that it was read from.
Item = tuple[Record, bytes]


def _store(bodies: Sequence[bytes]) -> list[bytes]:
    """Store what can be stored; return the bodies of the rest. Predictions first: what follows may speak of them."""
    predictions: list[Item] = []
    others: dict[str, list[Item]] = {}
    unstorable: list[bytes] = []
    for body in bodies:
        try:
            record = decode(body)
            into = others.setdefault(_kind(record), []) if "kind" in record else predictions
        except UNREADABLE as error:
            logger.error("a record of the spool is none (%s): %.2000r", error, body)
            unstorable.append(body)
            continue
        into.append((record, body))
    unstorable += _store_items(_store_predictions, predictions)
    for kind, items in others.items():
        unstorable += _store_items(_storing(kind), items)
    return unstorable


def _kind(record: Record) -> str:
    kind: str = record["kind"]
    if kind not in KINDS and kind not in settings.SPOOL_KINDS:
        raise ValueError("it is of an unknown kind")
    return kind


def _storing(kind: str) -> Storing:
    return KINDS[kind] if kind in KINDS else import_string(settings.SPOOL_KINDS[kind])


def _store_items(store_records: Callable[[Sequence[Record]], object], items: Sequence[Item]) -> list[bytes]:
    """Store the items together or, where that does not go, in halves down to those that cannot be stored: return their
    bodies. Raises what is the trouble of the database and not of a record."""
    if not items:
        return []
    try:
        with transaction.atomic():
            store_records([record for record, _ in items])
        return []
    except Exception as error:
        if not comes_again(error):
            raise
        if len(items) == 1:
            logger.exception("a record of the spool cannot be stored: %.2000r", items[0][1])
            return [items[0][1]]
    pulse.beat()
    half = len(items) // 2
    return [*_store_items(store_records, items[:half]), *_store_items(store_records, items[half:])]


def _store_predictions(records: Sequence[Record]) -> None:
    store(records)
    named = {str(record.get("deployment_id")) for record in records}
    try:
        with transaction.atomic():
            _record_lineage({deployment_id for deployment_id in named if is_id(deployment_id)})
    except Exception as error:
        if not comes_again(error):
            raise
        # It is drawn from what is stored, and tried again with the deployment's next prediction.
        logger.exception("the lineage of predictions is not recorded")


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
