"""Tells the reconciler at once that something was asked of an endpoint. A lost hint only costs time."""

from __future__ import annotations

from uuid import UUID

from django.db import connection

CHANNEL = "modelwright_deployments"


def hint(endpoint_id: UUID) -> None:
    """Have the endpoint looked at as soon as the transaction is committed; nothing comes of it otherwise."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(endpoint_id)])
