"""Finding predictions of an endpoint, at a cost that does not grow with how many there are.

Time, deployment and failure are found by index. Whatever else is asked for is looked for among the newest `SCAN`
predictions that those leave; then one may go on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Max, QuerySet
from django.utils.dateparse import parse_date, parse_datetime

from models.endpoints.models import Deployment, DeploymentTarget, Endpoint
from models.gateway.recording import digest_of, redaction_key
from models.predictions.activity import first_of_newest
from models.predictions.compacting import floor, step_at
from models.predictions.conditions import MAX_NAME, Condition, typed
from models.predictions.models import Prediction, PredictionBucket
from models.predictions.partitions import floor_id, time_of
from models.registry.mlmodel import served_signature
from modelwright.core.errors import ValidationFailed

SCAN = 20_000
MAX_VERSIONS = 20
# An id is made after its request was received, at most so much later.
ID_LAG = timedelta(hours=1)
DAY = timedelta(days=1)
FAILED = ("failed", "502", "504")
ROLES = ("live", "canary", "shadow", "fallback", "node")
PROTOCOLS = ("own", "mlflow", "v2", "tensorflow", "batch")
END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)
Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; everything that is set must hold. `status` is answered, failed or a number;
    the role `fallback` is whatever the fallback answered, a rule or a version."""

    id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    deployment: UUID | None = None
    version: int | None = None
    status: str = ""
    protocol: str = ""
    key: str = ""
    role: str = ""
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins: rows before the id (older), or after it."""

    id: UUID
    is_after: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A page, newest first. `older` and `newer` begin the pages beside it. `looked_back_to` is set where the search
    stopped before it had seen everything, because it had looked at `SCAN` predictions."""

    rows: list[Prediction] = field(default_factory=list)
    older: Cursor | None = None
    newer: Cursor | None = None
    looked_back_to: datetime | None = None


def find(endpoint: Endpoint, search: Search, *, cursor: Cursor | None = None, limit: int = 50) -> Found:
    """A page of what is looked for. The caller has required PROJECT_VIEW."""
    search = _narrowed(endpoint, search)
    found = _by_index(endpoint, search)
    if cursor is not None and cursor.is_after:
        return _newer(found, search, cursor, limit)
    if cursor is not None:
        found = found.filter(pk__lt=cursor.id)
    near = _near(endpoint, search, cursor, SCAN if _needs_looking(search) else limit + 1)
    if near is not None:
        page = _older(found.filter(pk__gte=near), search, cursor, limit)
        if page.older is not None:
            return page
    return _older(found, search, cursor, limit)


def _near(endpoint: Endpoint, search: Search, cursor: Cursor | None, wanted: int) -> UUID | None:
    """From where on there should be as many as are wanted: most often that is a day or two."""
    if search.id is not None:
        return None
    ends = [END_OF_TIME if cursor is None else time_of(cursor.id) - ID_LAG]
    ends += [search.until] if search.until else []
    return first_of_newest(
        endpoint, wanted, before=min(ends), deployment=search.deployment, only_failed=search.status in FAILED
    )


def _older(found: QuerySet[Prediction], search: Search, cursor: Cursor | None, limit: int) -> Found:
    # Whatever has to be looked at one by one is bounded by the id of the last one to look at.
    last = _id_at(found.order_by("-pk"), SCAN) if _needs_looking(search) else None
    if last is not None:
        found = found.filter(pk__gte=last)
    rows = list(_looked_at(found, search).order_by("-pk")[: limit + 1])
    newer = Cursor(rows[0].pk, is_after=True) if rows and cursor else None
    if len(rows) > limit:
        return Found(rows[:limit], Cursor(rows[limit - 1].pk), newer)
    if last is not None:
        return Found(rows, Cursor(last), newer, time_of(last))
    return Found(rows, None, newer)


def _newer(found: QuerySet[Prediction], search: Search, cursor: Cursor, limit: int) -> Found:
    found = found.filter(pk__gt=cursor.id)
    last = _id_at(found.order_by("pk"), SCAN) if _needs_looking(search) else None
    if last is not None:
        found = found.filter(pk__lte=last)
    rows = list(_looked_at(found, search).order_by("pk")[: limit + 1])
    is_more = len(rows) > limit or last is not None
    rows = rows[:limit][::-1]
    if not rows:
        return Found([], Cursor(last) if last else cursor, Cursor(last, is_after=True) if last else None)
    return Found(rows, Cursor(rows[-1].pk), Cursor(rows[0].pk, is_after=True) if is_more else None)


def _id_at(ordered: QuerySet[Prediction], number: int) -> UUID | None:
    return ordered.values_list("pk", flat=True)[number - 1 : number].first()


def _by_index(endpoint: Endpoint, search: Search) -> QuerySet[Prediction]:
    # Nothing is older than the endpoint, whatever clocks say, so what is older need not be looked at.
    found = Prediction.objects.filter(endpoint_id=endpoint.pk, pk__gte=floor_id(endpoint.created_at - DAY))
    if search.id is not None:
        found = found.filter(pk=search.id)
    if search.deployment is not None:
        found = found.filter(deployment_id=search.deployment)
    if search.since is not None:
        found = found.filter(pk__gte=floor_id(search.since), at__gte=search.since)
    if search.until is not None:
        found = found.filter(pk__lt=floor_id(search.until + ID_LAG), at__lt=search.until)
    if search.status in FAILED:
        found = found.exclude(status=200)
    return found


def _needs_looking(search: Search) -> bool:
    texts = (search.protocol, search.key, search.role)
    return bool(search.version is not None or search.status == "answered" or any(texts) or search.condition)


def _looked_at(found: QuerySet[Prediction], search: Search) -> QuerySet[Prediction]:
    if search.version is not None:
        found = found.filter(version_number=search.version)
    if search.status not in ("", "failed"):
        found = found.filter(status=200 if search.status == "answered" else int(search.status))
    if search.protocol:
        found = found.filter(protocol=search.protocol)
    if search.key:
        found = found.filter(key_name__icontains=search.key)
    if search.role == "fallback":
        found = found.exclude(fallback="")
    elif search.role:
        found = found.filter(role=search.role)
    return search.condition.narrow(found) if search.condition else found


def _narrowed(endpoint: Endpoint, search: Search) -> Search:
    """A version that was replaced long ago is looked for where the counts say that it last answered."""
    if search.version is None:
        return search
    versions = DeploymentTarget.objects.filter(
        deployment__endpoint=endpoint, model_version__number=search.version
    ).values("model_version")
    of_version = PredictionBucket.objects.filter(endpoint_id=endpoint.pk, model_version_id__in=versions)
    newest = of_version.aggregate(newest=Max("minute"))["newest"]
    if newest is None:
        return search
    ends = floor(newest, step_at(newest)) + step_at(newest)
    return search if search.until is not None and search.until <= ends else replace(search, until=ends)


def columns_of(endpoint: Endpoint) -> dict[str, str]:
    """Input columns and their types, of the versions that the endpoint served lately, the newest first."""
    targets = DeploymentTarget.objects.filter(deployment__endpoint=endpoint).select_related("model_version")
    found: dict[str, str] = {}
    for target in targets.order_by("-deployment__number")[:MAX_VERSIONS]:
        signature = served_signature(target.model_version.signature)
        for column in signature["inputs"] if signature else ():
            found.setdefault(str(column["name"]), str(column["type"]))
    return found


def read(endpoint: Endpoint, params: Params) -> tuple[Search, list[ValidationFailed]]:
    """What the parameters of an address ask for, without what is wrong with them; and that."""
    search, problems = Search(), []
    for name, take in _PARAMETERS.items():
        text = str(params.get(name) or "").replace("\0", "").strip()[:MAX_NAME]
        if text:
            try:
                search = replace(search, **{name: take(endpoint, text)})
            except ValidationFailed as problem:
                problems.append(problem)
    if params.get("column") or params.get("op"):
        try:
            search = replace(search, condition=_condition(endpoint, params))
        except ValidationFailed as problem:
            problems.append(problem)
    return search, problems


def _condition(endpoint: Endpoint, params: Params) -> Condition:
    column, operator, value = (
        str(params.get(name) or "").replace("\0", "")[:MAX_NAME] for name in ("column", "op", "value")
    )
    columns = columns_of(endpoint)
    if not operator or (not column and column not in columns):
        raise ValidationFailed(
            "A value is looked for in a column, by a comparison.",
            remedy="Choose both, or neither.",
            field="op" if column else "column",
        )
    condition = typed(column, columns.get(column, ""), operator, value)
    if operator in ("eq", "ne") and column in endpoint.redacted_columns:
        condition = replace(condition, digest=digest_on_record(condition.value))
    return condition


def digest_on_record(value: Any) -> str:
    """What stands on record for a value of a redacted column."""
    return digest_of(redaction_key(settings.SECRET_KEY), value)


def _id(_endpoint: Endpoint, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise _wrong("id", text, "Give the id that the answer carried, 32 hex digits.") from None


def _deployment(endpoint: Endpoint, text: str) -> UUID:
    if text.isascii() and text.isdigit() and len(text) < 10:
        found = Deployment.objects.filter(endpoint=endpoint, number=int(text)).first()
        if found is None:
            raise _wrong("deployment", text, f"{endpoint.name} has no deployment of that number.")
        return UUID(str(found.pk))
    try:
        return UUID(text)
    except ValueError:
        raise _wrong("deployment", text, "Give the id or the number of a deployment.") from None


def _version(_endpoint: Endpoint, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise _wrong("version", text, "Give the number of a version, such as 3.")
    return int(text)


def _status(_endpoint: Endpoint, text: str) -> str:
    if text not in ("answered", *FAILED):
        raise _wrong("status", text, "Give answered, failed, 502 or 504.")
    return text


def _protocol(_endpoint: Endpoint, text: str) -> str:
    if text not in PROTOCOLS:
        raise _wrong("protocol", text, f"Give one of {', '.join(PROTOCOLS)}.")
    return text


def _role(_endpoint: Endpoint, text: str) -> str:
    if text not in ROLES:
        raise _wrong("role", text, f"Give one of {', '.join(ROLES)}.")
    return text


def _since(_endpoint: Endpoint, text: str) -> datetime:
    return _time("since", text)


def _until(_endpoint: Endpoint, text: str) -> datetime:
    """A day is included whole."""
    at = _time("until", text)
    return at + timedelta(days=1) if len(text) <= len("2026-11-27") else at


def _time(name: str, text: str) -> datetime:
    try:
        day = parse_date(text)
        at = datetime.combine(day, time.min) if day else parse_datetime(text.replace(" ", "+"))
        if at is not None and 1970 < at.year < 9000:
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise _wrong(name, text, "Give a date such as 2026-11-26 or a time such as 2026-11-26T14:30:00Z.")


def _wrong(name: str, text: str, remedy: str) -> ValidationFailed:
    return ValidationFailed(f"`{name}` is {text[:60]!r}.", remedy=remedy, field=name)


_PARAMETERS: dict[str, Callable[[Endpoint, str], Any]] = {
    "id": _id,
    "since": _since,
    "until": _until,
    "deployment": _deployment,
    "version": _version,
    "status": _status,
    "protocol": _protocol,
    "role": _role,
    "key": lambda _endpoint, text: text,
}
