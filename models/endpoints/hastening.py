"""Brings a deployment to serve at once where all its versions answer already, as in a rollback: without a round over
all endpoints, and without a probe. Whatever it cannot do, or is cut off from, the next round does."""

from __future__ import annotations

import logging
import time
from uuid import UUID

import psycopg
from django.db import connection

from models.endpoints import routes
from models.endpoints.hints import CHANNEL
from models.endpoints.models import Replica
from models.endpoints.publishing import publish_one
from models.endpoints.settling import go_live
from models.endpoints.viewing import note_answering, views

logger = logging.getLogger(__name__)

LISTEN_SECONDS = 1.0
# So long the gateway is waited for; asked by which table it answers, it looks for a new one.
GATEWAY_SECONDS = 1.0
PAUSE_SECONDS = 0.004
# So few of the newest deployments hold what goes on and, mostly, all that is warm; the next round knows more of them.
LOOK_BACK = 8


def hasten(endpoint_id: UUID) -> bool:
    """Make the newest deployment serve if all its versions answer. Whether this call made it live."""
    view = next(iter(views([endpoint_id], look_back=LOOK_BACK)), None)
    candidate = view.candidate if view is not None else None
    if view is None or candidate is None:
        return False
    note_answering(view, _is_known_to_answer)
    if view.serving() != candidate:
        return False
    published = publish_one(view)
    if published is None or view.endpoint.path in published.left:
        return False
    return is_taken_up(published.revision) and go_live(view.endpoint, candidate, view.seen)


def _is_known_to_answer(replica: Replica) -> bool:
    return replica.answers


def is_taken_up(revision: int) -> bool:
    """Whether the gateway comes to answer by that table, or a newer one, in `GATEWAY_SECONDS`."""
    until = time.monotonic() + GATEWAY_SECONDS
    while time.monotonic() < until:
        there = routes.gateway_revision()
        if there is None or there >= revision:
            return there is not None
        time.sleep(PAUSE_SECONDS)
    return False


class Listener:
    """A tick that waits for hints, a second at most, and follows them. It has a connection of its own, which stays."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

    def tick(self) -> None:
        """Wait and follow. Raises what the connection raises; the next call makes a new one."""
        try:
            told = [note.payload for note in self.listen().notifies(timeout=LISTEN_SECONDS, stop_after=1)]
        except psycopg.Error:
            self.close()
            raise
        for payload in dict.fromkeys(told):
            hasten(UUID(payload))

    def close(self) -> None:
        """Listen no more."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def listen(self) -> psycopg.Connection[tuple[object, ...]]:
        """The connection to which hints come from now on."""
        if self._connection is None or self._connection.closed:
            self._connection = connection.get_new_connection(connection.get_connection_params())
            self._connection.autocommit = True
            self._connection.execute(f"LISTEN {CHANNEL}")
        return self._connection
