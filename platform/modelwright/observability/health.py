"""Health of the web process and of what it needs."""

from __future__ import annotations

import socket
from collections.abc import Callable

import redis
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from models.predictions.spool_health import gateway_fault, spool_fault
from modelwright.storage.probing import Probe

CHECK_SECONDS = 2


def live(request: HttpRequest) -> JsonResponse:  # noqa: ARG001 - Django passes it
    """200 while this process answers at all."""
    return JsonResponse({"status": "ok"})


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error:
        return "does not answer"
    return f"{len(pending)} migrations are pending" if pending else ""


def _broker() -> str:
    try:
        client = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=CHECK_SECONDS, socket_connect_timeout=CHECK_SECONDS
        )
        client.ping()
        client.close()
    except redis.RedisError:
        return "does not answer"
    return ""


def _spool() -> str:
    try:
        return spool_fault()
    except Error:
        return "cannot be told: the database does not answer"


def _tracking() -> str:
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(CHECK_SECONDS)
            client.connect(settings.MLFLOW_SOCKET)
    except OSError:
        return "does not answer"
    return ""


_blobs = Probe()

# Without the database nothing can be shown. Without the others much can: runs start later, metrics are missing.
_NEEDED: dict[str, Callable[[], str]] = {"database": _database}
_WANTED: dict[str, Callable[[], str]] = {
    "blobs": _blobs.fault,
    "broker": _broker,
    "tracking": _tracking,
    "gateway": gateway_fault,
    "spool": _spool,
}


def checks() -> dict[str, str]:
    """What is wrong with each part that the platform consists of; empty where it answers."""
    return {name: check() for name, check in {**_NEEDED, **_WANTED}.items()}


def ready(request: HttpRequest) -> JsonResponse:  # noqa: ARG001 - Django passes it
    """200 when pages can be served, else 503; `checks` says how each part is. It needs no sign-in, so it is terse."""
    needed = {name: check() for name, check in _NEEDED.items()}
    wanted = {name: check() for name, check in _WANTED.items()}
    failed, degraded = any(needed.values()), any(wanted.values())
    status = "failed" if failed else "degraded" if degraded else "ok"
    checks = {name: fault or "ok" for name, fault in {**needed, **wanted}.items()}
    return JsonResponse({"status": status, "checks": checks}, status=503 if failed else 200)
