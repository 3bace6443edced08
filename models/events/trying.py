"""An event that a person sends to a sink to see whether it is taken. It is no part of the stream: it moves no cursor,
is sent once, and stands behind nothing."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import orjson
from django.db import transaction

from models.events.cloudevents import BATCH_TYPE, PREFIX, SINGLE_TYPE
from models.events.facts import audit
from models.events.models import Sink
from models.events.posting import Answer, post
from models.events.selectors import authorize_for
from models.events.signing import signed_headers
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.core.crypto import decrypt
from modelwright.core.ids import new_id

TYPE = f"{PREFIX}sink.test"
# A person waits for it.
SECONDS = 5.0


def send_test_event(sink: Sink, *, acting_user: Actor) -> Answer:
    """Post one event to the sink as the delivery would, also to one that is paused, and say what it answered.

    Raises PermissionRefused, PlatformError where the sink's secret cannot be read.
    """
    role = authorize_for(acting_user, sink.home)
    event_id = new_id().hex
    body, kind = _body(sink, event_id, acting_user)
    headers = signed_headers(decrypt(sink.secret), f"{sink.pk.hex}.{event_id}.1", int(time.time()), body)
    # Outside of any transaction: what is slow at the other end must not hold the database.
    answer = post(sink.url, body, {"Content-Type": kind, "User-Agent": "Modelwright", **headers}, seconds=SECONDS)
    _put_on_record(sink, event_id, answer, acting_user=acting_user, role=role)
    return answer


@transaction.atomic
def _put_on_record(sink: Sink, event_id: str, answer: Answer, *, acting_user: Actor, role: str) -> None:
    after = {"event": event_id, "status": answer.status, "taken": answer.is_taken, "detail": answer.detail}
    audit(AuditAction.EVENT_SINK_TESTED, sink, acting_user=acting_user, role=role, after=after)


def _body(sink: Sink, event_id: str, acting_user: Actor) -> tuple[bytes, str]:
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/projects/{sink.project_id}" if sink.project_id else f"/workspaces/{sink.workspace_id}",
        "type": TYPE,
        "subject": sink.pk.hex,
        "time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": {"sink": sink.name, "sink_id": str(sink.pk), "sent_by": acting_user.name},
    }
    if sink.mode == Sink.Mode.SINGLE:
        return orjson.dumps(event), SINGLE_TYPE
    return orjson.dumps([event]), BATCH_TYPE
