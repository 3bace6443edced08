"""The gateway's route table: built from the database, written whole, never changed in place."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from models.endpoints.asked import NOTHING, Asked, asked
from models.endpoints.calling import example_of, without
from models.endpoints.models import Deployment, Endpoint, EndpointKey, PublishedRoutes
from models.gateway import table_file
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
    *,
    is_active: bool = True,
) -> dict[str, Any]:
    """One endpoint of the table. `sockets` are the healthy replicas by version, `served_by` the path of each. Of a
    stopped endpoint the deployment is the last that served, and its fallback alone answers."""
    keys = EndpointKey.objects.filter(endpoint=endpoint, revoked_at=None).order_by("pk")
    return {
        "endpoint_id": str(endpoint.pk),
        "keys": {key.digest: str(key.pk) for key in keys},
        "redact": sorted(endpoint.redacted_columns),
        "state": "active" if is_active else "stopped",
        **served(endpoint, deployment, sockets, served_by),
    }


def served(
    endpoint: Endpoint,
    deployment: Deployment,
    sockets: Mapping[UUID, Sequence[str]],
    served_by: Mapping[UUID, str],
) -> dict[str, Any]:
    """The part of an endpoint's entry that is the deployment's."""
    return {
        "deployment_id": str(deployment.pk),
        "deployment_number": deployment.number,
        "routing": deployment.routing,
        "fallback": deployment.fallback,
        "graph": deployment.graph,
        "targets": [
            {
                "model_version_id": str(target.model_version_id),
                "model": target.model_version.model.name,
                "version": target.model_version.number,
                "weight": target.weight,
                "role": target.role,
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
    now = {**_redacted(entry, redacted), "redact": sorted(redacted)}
    return {**now, "warm": [_redacted(one, redacted) for one in entry["warm"]]} if "warm" in entry else now


def _redacted(entry: Mapping[str, Any], redacted: Sequence[str]) -> dict[str, Any]:
    targets = [{**one, "example": without(one.get("example"), redacted)} for one in entry.get("targets", ())]
    return {**entry, "targets": targets}


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


@dataclass(frozen=True)
class Publication:
    """The table's `revision`, and the endpoints (by path) that `left` as they were: something newer was asked for them
    meanwhile, or they were rolled back on the gateway's host and that is no deployment yet."""

    revision: int
    left: frozenset[str] = frozenset()


@transaction.atomic
def publish(
    endpoints: Mapping[str, Any], *, seen: Mapping[UUID, Asked] | None = None, refused: Collection[str] = ()
) -> Publication:
    """Make the table hold exactly these endpoints, but for those that are left as they were.

    `seen` says what was asked of each endpoint when its entry was made; a rollback on the gateway's host that is
    `refused` (by path) is overwritten. The revision grows when the content changes. The file is written again when it
    is missing or older, as after a restore; when writing fails nothing has changed.
    """
    row = _locked_row()
    now = asked() if seen is not None else {}
    newer = {one.path for id_, one in now.items() if seen is not None and seen.get(id_, NOTHING).what != one.what}
    table = {path: entry for path, entry in endpoints.items() if path not in newer}
    table |= {path: entry for path, entry in row.endpoints.items() if path in newer}
    return _store(row, table, newer, refused)


@transaction.atomic
def publish_one(
    endpoint: Endpoint, make: Callable[[dict[str, Any] | None], dict[str, Any] | None], *, seen: Asked
) -> Publication | None:
    """Make one endpoint's entry what `make` makes of the published one, and leave the others. None when something newer
    was asked for it than what was `seen`, or when there is no entry by which the gateway could serve."""
    row = _locked_row()
    if asked([endpoint.pk])[endpoint.pk].what != seen.what:
        return None
    entry = make(row.endpoints.get(endpoint.path))
    if entry is None or not is_servable(endpoint.path, entry):
        return None
    return _store(row, {**row.endpoints, endpoint.path: entry}, set(), ())


def _locked_row() -> PublishedRoutes:
    row, _ = PublishedRoutes.objects.select_for_update().get_or_create(pk=1)
    return row


def _store(row: PublishedRoutes, table: dict[str, Any], left: set[str], refused: Collection[str]) -> Publication:
    path = routes_file()
    with table_file.locked(path):
        current = table_file.read(path)
        revision_there = int(current.get("revision") or 0) if current else 0
        gone_back = {name: entry for name, entry in not_adopted(current).items() if name not in refused}
        table |= gone_back
        changed = row.endpoints != table
        if changed or current is None or current.get("endpoints") != table:
            row.revision = max(row.revision, revision_there) + 1
            row.endpoints = table
            table_file.replace(path, {"revision": row.revision, "endpoints": table})
            row.save()
    return Publication(row.revision, frozenset(left | set(gone_back)))


def not_adopted(table: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """The entries of a table, by path, that were rolled back on the gateway's host and are no deployment yet."""
    entries = table.get("endpoints") if table else None
    found = {
        name: entry
        for name, entry in (entries if isinstance(entries, dict) else {}).items()
        if isinstance(entry, dict) and isinstance(entry.get("rolled_back"), dict)
    }
    if not found:
        return {}
    known = {str(id_) for id_ in Deployment.objects.filter(pk__in=_ids(found.values())).values_list("pk", flat=True)}
    return {name: entry for name, entry in found.items() if str(entry.get("deployment_id")) not in known}


def _ids(entries: Iterable[Mapping[str, Any]]) -> list[UUID]:
    found = []
    for entry in entries:
        with suppress(ValueError):
            found.append(UUID(str(entry.get("deployment_id"))))
    return found


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
