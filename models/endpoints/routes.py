"""The gateway's route table: built from the database, written whole, never changed in place."""

from __future__ import annotations

import json
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from models.endpoints.calling import example_of, without
from models.endpoints.models import Deployment, Endpoint, EndpointKey, PublishedRoutes
from models.gateway.routes import RoutesError, parse
from models.registry.mlmodel import served_signature

READY_TIMEOUT_SECONDS = 2.0


def routes_file() -> Path:
    """The file that the gateway watches."""
    return Path(settings.DATA_DIR) / "gateway" / "routes.json"


def entry(
    endpoint: Endpoint,
    deployment: Deployment,
    sockets: Mapping[UUID, Sequence[str]],
    served_by: Mapping[UUID, str],
) -> dict[str, Any]:
    """One endpoint of the table. `sockets` are the healthy replicas by version, `served_by` the path of each."""
    keys = EndpointKey.objects.filter(endpoint=endpoint, revoked_at=None).order_by("pk")
    return {
        "endpoint_id": str(endpoint.pk),
        "deployment_id": str(deployment.pk),
        "deployment_number": deployment.number,
        "keys": {key.digest: str(key.pk) for key in keys},
        "redact": sorted(endpoint.redacted_columns),
        "targets": [
            {
                "model_version_id": str(target.model_version_id),
                "model": target.model_version.model.name,
                "version": target.model_version.number,
                "weight": target.weight,
                "signature": served_signature(target.model_version.signature),
                "example": example_of(target.model_version, endpoint.redacted_columns),
                "served_by": served_by.get(target.model_version_id, "original"),
                "sockets": sorted(sockets.get(target.model_version_id, ())),
            }
            for target in deployment.targets.all()
        ],
    }


def switched(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> Iterator[tuple[UUID, str, str]]:
    """The versions that an endpoint's entry has answered by another path than it had before: old and new path."""
    old = {target["model_version_id"]: target for target in (before or {}).get("targets", ())}
    for target in (now or {}).get("targets", ()):
        earlier = old.get(target["model_version_id"], {})
        if target["sockets"] and earlier.get("sockets"):
            was = earlier.get("served_by", "original")
            if was != target["served_by"]:
                yield UUID(target["model_version_id"]), was, target["served_by"]


def kept(endpoint: Endpoint, before: Mapping[str, Any]) -> dict[str, Any] | None:
    """The endpoint's entry as it was published, while nothing reliable is known of its replicas. What must not be
    recorded or shown does not wait for that."""
    entry = before.get(endpoint.path)
    if not entry:
        return None
    redacted = endpoint.redacted_columns
    targets = [{**one, "example": without(one.get("example"), redacted)} for one in entry.get("targets", ())]
    return {**entry, "redact": sorted(redacted), "targets": targets}


def is_servable(path: str, entry: Mapping[str, Any]) -> bool:
    """Whether the gateway can serve by the entry. One that it cannot even read would keep it from all others."""
    try:
        table = parse(json.dumps({"revision": 0, "endpoints": {path: entry}}).encode())
    except (RoutesError, ValueError, RecursionError):
        return False
    return not table.troubles


def published() -> dict[str, Any]:
    """The endpoints of the table as it was last published."""
    row = PublishedRoutes.objects.filter(pk=1).first()
    return dict(row.endpoints) if row else {}


@transaction.atomic
def publish(endpoints: dict[str, Any]) -> int:
    """Make the table hold exactly these endpoints; return the revision under which it does.

    The revision grows when the content changes. The file is written again when it is missing or older, as after a
    restore; when writing fails nothing has changed.
    """
    row, _ = PublishedRoutes.objects.select_for_update().get_or_create(pk=1)
    current = _read()
    revision_there = int(current.get("revision") or 0) if current else 0
    if row.endpoints != endpoints or current is None or current.get("endpoints") != endpoints:
        row.revision = max(row.revision, revision_there) + 1
        row.endpoints = endpoints
        row.save()
        _write({"revision": row.revision, "endpoints": endpoints})
    return row.revision


def _read() -> dict[str, Any] | None:
    try:
        content = json.loads(routes_file().read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _write(table: dict[str, Any]) -> None:
    path = routes_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".routes-")
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(table, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def gateway_revision() -> int | None:
    """The revision by which the gateway answers now, None while it does not answer."""
    state = gateway_state()
    revision = state.get("revision") if state else None
    return revision if isinstance(revision, int) else None


def gateway_state() -> dict[str, Any] | None:
    """What the gateway's `/health/ready` says, None while it does not answer."""
    try:
        with urllib.request.urlopen(  # noqa: S310 - an address from the settings
            f"{settings.GATEWAY_INTERNAL_URL}/health/ready", timeout=READY_TIMEOUT_SECONDS
        ) as answer:
            content = json.load(answer)
    except urllib.error.HTTPError as error:
        # It says 503 while it cannot record predictions, and which table it has all the same.
        with error:
            content = _json_or_none(error.read())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _json_or_none(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
