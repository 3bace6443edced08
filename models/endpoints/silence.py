"""Notices replicas that have answered and do so no more, though their process lives, and has them replaced.

A model server answers a ping beside its predictions, in a thread of its own, however long they take. So one that is
silent for seconds is not merely busy: it is stopped, stuck in its event loop, or cut off.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from models.endpoints import replicas
from models.endpoints.addresses import access
from models.endpoints.models import Replica
from models.endpoints.probing import Sign, sign_of
from modelwright.compute.models import Host

logger = logging.getLogger(__name__)

# Silent for so long, it is asked no more where others of its version answer; for so long, it is replaced.
QUIET_SECONDS = 8.0
HUNG_SECONDS = 30.0
# Who has not come round for so long was stopped itself, or is far too busy to judge others.
STALLED_SECONDS = 15.0
AT_ONCE = 16
REASON = "It has not answered a ping for {seconds:.0f} s although its process runs; another one takes its place."


class Watch:
    """Asks every replica that has answered once, in each tick. Keeps in memory since when which is silent, so one that
    is new begins with patience."""

    def __init__(self) -> None:
        self._silent: dict[UUID, float] = {}
        self._ticked = time.monotonic()

    def tick(self) -> None:
        """One round."""
        found = list(_answered_once())
        signs = _signs_of(found)
        now = time.monotonic()
        if now - self._ticked > STALLED_SECONDS:
            self._silent.clear()
        self._ticked = now
        self._silent = {each.pk: self._silent.get(each.pk, now) for each in found if not _is_well(each, signs[each.pk])}
        for replica in found:
            since = self._silent.get(replica.pk)
            if since is None:
                _answers_again(replica)
            else:
                _judge(replica, signs[replica.pk], now - since)


def _answered_once() -> QuerySet[Replica]:
    found: QuerySet[Replica] = Replica.objects.filter(
        purpose=Replica.Purpose.SERVE,
        workload__state="running",
        workload__cancel_requested_at=None,
        healthy_at__isnull=False,
    )
    return found.select_related("workload__host", "model_version__model", "endpoint").order_by("pk")


def _signs_of(found: Iterable[Replica]) -> dict[UUID, Sign]:
    """At the same time, so that those that do not answer hold up no others. Nothing here asks the database."""
    opens = access()
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="silence") as pool:
        asked = {each.pk: pool.submit(sign_of, each.socket, opens) for each in found}
        return {id_: future.result() for id_, future in asked.items()}


def _is_well(replica: Replica, sign: Sign) -> bool:
    return sign.pong is not None and sign.pong.get("version_id") == str(replica.model_version_id)


def _judge(replica: Replica, sign: Sign, seconds: float) -> None:
    if seconds >= QUIET_SECONDS and replica.silent_since is None:
        since = timezone.now() - timedelta(seconds=seconds)
        if Replica.objects.filter(pk=replica.pk, silent_since=None).update(silent_since=since):
            replica.silent_since = since
            logger.warning("a replica of %s for %s is silent", replica.model_version, replica.endpoint.name)
    if seconds >= HUNG_SECONDS and (sign.is_connected or not _is_behind_a_bridge(replica)):
        replicas.stop(replica, reason=REASON.format(seconds=seconds))


def _answers_again(replica: Replica) -> None:
    if replica.silent_since is not None:
        Replica.objects.filter(pk=replica.pk).update(silent_since=None)


def _is_behind_a_bridge(replica: Replica) -> bool:
    """Without a connection it is the bridge or the network that fails, which no other replica there would mend.

    A swarm brings a task that failed back by itself; what fails there without a connection is its entrance.
    """
    host = replica.workload.host
    if host is None or host.name == settings.HOST_NAME:
        return False
    return host.backend != Host.Backend.SWARM or bool(host.address and host.bridge_port)
