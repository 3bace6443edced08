"""The names that predictions are stored with, from small caches: none of them ever changes under the same id."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from models.endpoints.models import Deployment, Endpoint, EndpointKey
from models.predictions.records import NULL, Ids, text_field
from models.registry.models import ModelVersion

MAX_KEPT = 50_000
Facts = dict[str, tuple[Any, ...]]


class Names:
    """The columns `records.NAMED` by ids. What is not known (any more) has empty names, and is looked up again."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._endpoints: Facts = {}
        self._deployments: Facts = {}
        self._versions: Facts = {}
        self._keys: Facts = {}
        self._columns: dict[Ids, bytes] = {}
        self._passing: dict[Ids, bytes] = {}

    def __call__(self, ids: Ids) -> bytes:
        """The columns of ids that were prepared."""
        return self._columns.get(ids) or self._passing[ids]

    def prepare(self, wanted: Iterable[Ids]) -> set[Ids]:
        """Look up what is not known of these; return the ids that are no ids at all."""
        if len(self._columns) > MAX_KEPT:
            self._forget()
        missing = {ids for ids in wanted if ids not in self._columns}
        wrong = {ids for ids in missing if not all(is_id(text) for text in ids[:3])}
        missing -= wrong
        self._passing = {}
        if missing:
            self._look_up(missing)
            for ids in missing:
                columns, is_whole = self._made(ids)
                (self._columns if is_whole else self._passing)[ids] = columns
        return wrong

    def _look_up(self, missing: set[Ids]) -> None:
        endpoints, deployments, versions, keys = (
            {UUID(text) for text in column if is_id(text)} for column in zip(*missing, strict=True)
        )
        _fetch(self._endpoints, Endpoint.objects.all(), endpoints, "project_id", "workspace__name", "name")
        _fetch(self._deployments, Deployment.objects.all(), deployments, "number")
        _fetch(self._versions, ModelVersion.objects.all(), versions, "model__name", "number")
        _fetch(self._keys, EndpointKey.objects.all(), keys, "name")

    def _made(self, ids: Ids) -> tuple[bytes, bool]:
        endpoint_id, deployment_id, version_id, key_id = ids
        keyis_id = is_id(key_id)
        endpoint = self._endpoints.get(_hex(endpoint_id))
        deployment = self._deployments.get(_hex(deployment_id))
        version = self._versions.get(_hex(version_id))
        key = self._keys.get(_hex(key_id)) if keyis_id else None
        columns = (
            str(endpoint[0]).encode() if endpoint else NULL,
            *(endpoint_id.encode(), deployment_id.encode(), version_id.encode()),
            key_id.encode() if keyis_id else NULL,
            text_field(f"{endpoint[1]}/{endpoint[2]}") if endpoint else b"",
            b"%d" % deployment[0] if deployment else NULL,
            text_field(version[0]) if version else b"",
            b"%d" % version[1] if version else NULL,
            text_field(key[0]) if key else b"",
        )
        return b"\t".join(columns), bool(endpoint and deployment and version and (key or not keyis_id))


def _fetch(into: Facts, found: QuerySet[Any], ids: set[UUID], *fields: str) -> None:
    unknown = [each for each in ids if each.hex not in into]
    if unknown:
        for pk, *facts in found.filter(pk__in=unknown).values_list("pk", *fields):
            into[pk.hex] = tuple(facts)


def _hex(text: str) -> str:
    return UUID(text).hex


def is_id(text: object) -> bool:
    """Whether it is the text of a UUID."""
    try:
        return isinstance(text, str) and bool(UUID(text))
    except ValueError:
        return False
