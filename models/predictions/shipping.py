"""From the gateways' spools into PostgreSQL, each acknowledged prediction exactly once.

Rows and the position after them are written in one transaction, so that a shipper that is killed anywhere goes on where
the last commit left off; ids make a repeated row harmless.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import DatabaseError, DataError, InterfaceError, connection, transaction

from lineage import names
from lineage.kinds import EdgeKind, Origin
from lineage.services import EdgeSpec
from lineage.services import add as add_lineage
from models.endpoints.models import Deployment
from models.gateway.spool import HEAD, Finish, Segment, finish, list_segments, read_records
from models.predictions.models import SpoolPosition
from models.predictions.records import COLUMNS, Row, row_of
from modelwright.core import pulse

logger = logging.getLogger(__name__)

BATCH_RECORDS = 2000
BATCH_BYTES = 16 * 1024 * 1024
IDLE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0

# COPY raises the driver's own errors, everything else Django's.
UNSTORABLE = (DataError, psycopg.DataError, ValueError)
TROUBLE = (DatabaseError, InterfaceError, psycopg.Error, OSError)

_STAGING = """
CREATE TEMPORARY TABLE IF NOT EXISTS predictions_incoming (
  id uuid, at timestamptz, endpoint_id uuid, deployment_id uuid, model_version_id uuid, key_id uuid,
  inputs jsonb, outputs jsonb, probabilities jsonb, latency_ms double precision
) ON COMMIT DELETE ROWS
"""
_COPY = f"COPY predictions_incoming ({', '.join(COLUMNS)}) FROM STDIN"
_INSERT = """
INSERT INTO predictions_prediction (
  id, at, project_id, endpoint_id, deployment_id, model_version_id, key_id, inputs, outputs, probabilities, latency_ms,
  endpoint_name, deployment_number, model_name, version_number, key_name)
SELECT i.id, i.at, e.project_id, i.endpoint_id, i.deployment_id, i.model_version_id, i.key_id,
       i.inputs, i.outputs, i.probabilities, i.latency_ms,
       coalesce(w.name || '/' || e.name, ''), d.number, coalesce(m.name, ''), v.number, coalesce(k.name, '')
  FROM predictions_incoming i
  LEFT JOIN endpoints_endpoint e ON e.id = i.endpoint_id
  LEFT JOIN workspaces_workspace w ON w.id = e.workspace_id
  LEFT JOIN endpoints_deployment d ON d.id = i.deployment_id
  LEFT JOIN registry_modelversion v ON v.id = i.model_version_id
  LEFT JOIN registry_registeredmodel m ON m.id = v.model_id
  LEFT JOIN endpoints_endpointkey k ON k.id = i.key_id
ON CONFLICT (id) DO NOTHING
"""


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
    while not stop.is_set():
        pulse.beat()
        try:
            moved = ship_once(folder)
        except TROUBLE as error:
            if not in_trouble:
                logger.error("predictions stay in the spool for now: %s", error)
            in_trouble = True
            connection.close()
            stop.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            continue
        if in_trouble:
            logger.info("predictions are shipped again")
        pause, in_trouble = IDLE_SECONDS, False
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
    rows, end = _read(segment.path, offset)
    if rows:
        _insert(rows)
        _record_lineage({row[3] for row in rows})
    if end != position.offset or position.head != head:
        position.offset, position.head = end, head
        position.save(update_fields=["offset", "head", "updated_at"])
    return int(end > offset) and max(len(rows), 1), end


def _read(path: Path, offset: int) -> tuple[list[Row], int]:
    rows: list[Row] = []
    end = offset
    for record, after in read_records(path, offset):
        end = after
        try:
            rows.append(row_of(record))
        except (KeyError, TypeError, ValueError):
            logger.exception("a record of %s before byte %d is no prediction: %.2000r", path, after, record)
        if len(rows) >= BATCH_RECORDS or end - offset >= BATCH_BYTES:
            break
    return rows, end


def _insert(rows: list[Row]) -> None:
    try:
        with transaction.atomic():
            _copy(rows)
    except UNSTORABLE:
        # One record in it that PostgreSQL cannot store must not hold up, or cost, the others.
        for row in rows:
            _insert_alone(row)


def _insert_alone(row: Row) -> None:
    try:
        with transaction.atomic():
            _copy([row])
    except UNSTORABLE:
        logger.exception("prediction %s is stored without its values", row[0])
        with transaction.atomic():
            _copy([(*row[:6], '{"unstorable": true}', '{"unstorable": true}', None, row[9])])


def _copy(rows: list[Row]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_STAGING)
        cursor.execute("DELETE FROM predictions_incoming")
        copying: Any = cursor.copy(_COPY)
        with copying as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(_INSERT)


_known: set[UUID] = set()


def _record_lineage(deployment_ids: set[UUID]) -> None:
    """One node for all predictions of a deployment."""
    unknown = deployment_ids - _known
    for deployment in Deployment.objects.filter(pk__in=unknown).select_related("endpoint__workspace"):
        endpoint = deployment.endpoint
        served = names.deployment(endpoint.project_id, deployment.pk, f"{endpoint.name} #{deployment.number}")
        made = names.predictions(endpoint.project_id, deployment.pk, f"of {endpoint.name} #{deployment.number}")
        add_lineage(edges=[EdgeSpec(served, made, EdgeKind.PREDICTED, origin=Origin.OBSERVED)])
    # Forgotten when the transaction fails, and by a restart; adding twice is harmless.
    transaction.on_commit(lambda: _known.update(unknown))
