"""Replays: who may start one, on what, and what becomes of it."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.db import transaction

from models.approvals.services import record_check
from models.endpoints.models import Endpoint
from models.endpoints.paths import Path, path_of
from models.gateway.signature import Frame, compile_signature
from models.registry.mlmodel import served_signature
from models.registry.models import ModelVersion
from models.replays import transitions
from models.replays.gathering import Gathered, fitted, gather, shaped
from models.replays.judging import Report
from models.replays.models import MOST_REQUESTS, USUAL_REQUESTS, Replay, ReplayRequest
from models.replays.policies import replay_policy, thresholds_of
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.compute.models import Workload
from modelwright.compute.results import RESULT
from modelwright.compute.services import create_workload, request_cancel
from modelwright.core.errors import Conflict, ValidationFailed
from modelwright.core.text import storable_json
from projects.selectors import authorize

INPUT = "input.json"
CPU, TIMEOUT_SECONDS = 1.0, 1800
MEMORY_PER_FILE_BYTE, MEMORY_PER_INPUT_BYTE = 4, 10
CHECK = "replay"


@transaction.atomic
def start_replay(
    endpoint: Endpoint, candidate: ModelVersion, *, requests: int = USUAL_REQUESTS, acting_user: Actor
) -> Replay:
    """Queue the newest requests on record of the endpoint on the candidate, by the path that a replica would answer by.

    What it must come to is the endpoint's policy as it is now. Raises PermissionRefused, ValidationFailed; Conflict,
    saying why nothing can be replayed.
    """
    role = authorize(acting_user, Permission.ENDPOINT_DEPLOY, endpoint.project)
    if not 1 <= requests <= MOST_REQUESTS:
        raise ValidationFailed(
            f"{requests} requests cannot be replayed.", remedy=f"Give 1 to {MOST_REQUESTS:,}.", field="requests"
        )
    policy = replay_policy(endpoint)
    if requests < policy.min_requests:
        raise ValidationFailed(
            f"{requests} requests are too few: the endpoint's policy asks for {policy.min_requests:,} of the newest.",
            remedy=f"Give {policy.min_requests:,} or more; where fewer are on record, all of them are asked.",
            field="requests",
        )
    _check_version(endpoint, candidate)
    # One after the other, so that two cannot both be the only one of the candidate.
    Endpoint.objects.select_for_update().only("pk").get(pk=endpoint.pk)
    if Replay.objects.filter(endpoint=endpoint, candidate=candidate, state__in=("queued", "running")).exists():
        raise Conflict(f"A replay of {candidate} is under way already.", remedy="Wait for its outcome.")
    found = gather(endpoint, candidate, requests)
    frames = [taken.frame for taken in found.requests if taken.frame is not None]
    if not found.requests:
        raise _nothing(endpoint, candidate, found)
    if not frames:
        raise Conflict(
            f"{candidate} would refuse every one of the {len(found.requests)} newest requests: "
            f"{found.requests[0].refused}",
            remedy="Register a version whose signature takes what clients send.",
            field="model_version",
        )
    path = path_of(endpoint, candidate)
    base, base_frames = _base(found, endpoint)
    base_path = path_of(endpoint, base) if base else None
    replay: Replay = Replay(
        project_id=endpoint.project_id,
        endpoint=endpoint,
        candidate=candidate,
        base=base,
        served_by=path.served_by,
        thresholds=thresholds_of(policy),
        selection=_selection(found, requests),
        requested_by=acting_user.name,
    )
    replay.workload = _workload(endpoint, candidate, path, frames, acting_user)
    if base is not None and base_path is not None:
        replay.base_workload = _workload(endpoint, base, base_path, list(base_frames.values()), acting_user)
    replay.save(force_insert=True)
    ReplayRequest.objects.bulk_create(
        ReplayRequest(
            replay=replay,
            place=place,
            prediction_id=taken.prediction_id,
            refused=taken.refused,
            asks_base=place in base_frames,
        )
        for place, taken in enumerate(found.requests)
    )
    after = {"candidate": str(candidate), "base": str(base) if base else None, "requests": len(found.requests)}
    audit(AuditAction.REPLAY_STARTED, replay, acting_user=acting_user, role=role, after=after)
    return replay


def audit(action: AuditAction, replay: Replay, *, acting_user: Actor, role: str = "", **facts: Any) -> None:
    """An audit row for the replay."""
    record(
        acting_user=acting_user,
        action=action,
        target=Target("replay", replay.pk, str(replay)),
        role=role,
        workspace_id=replay.endpoint.workspace_id,
        project_id=replay.project_id,
        **facts,
    )


def _check_version(endpoint: Endpoint, candidate: ModelVersion) -> None:
    if candidate.model.project_id != endpoint.project_id:
        raise ValidationFailed(
            f"{candidate} is not of the endpoint's project.",
            remedy="Choose a version of a model in the same project.",
            field="model_version",
        )
    if candidate.state != "ready" or candidate.environment_request is None:
        raise Conflict(
            f"{candidate} is {candidate.get_state_display().lower()}, or has no environment.",
            remedy="Wait until it is ready, or have it inspected again.",
            field="model_version",
        )


def _nothing(endpoint: Endpoint, candidate: ModelVersion, found: Gathered) -> Conflict:
    if found.redacted:
        columns = ", ".join(sorted(found.redacted))
        return Conflict(
            f"Nothing can be replayed: the values of {columns} are redacted in every request on record, so no model "
            "can be asked again.",
            remedy="Have the version approved with a reason in place of the replay, or stop redacting the column if it "
            "holds no personal data; requests from then on can be replayed.",
        )
    return Conflict(
        f"{endpoint.name} has no request on record that another version than {candidate} answered.",
        remedy="Serve another version for a while, or have the version approved with a reason in place of the replay.",
    )


def _base(found: Gathered, endpoint: Endpoint) -> tuple[ModelVersion | None, dict[int, Frame]]:
    """The version that answered most of the requests, where it can still be asked, and by place what it was asked."""
    version_id = found.answered_by().most_common(1)[0][0]
    versions = ModelVersion.objects.select_related("model", "environment_request", "compiled__environment_request")
    version = versions.filter(pk=version_id, model__project_id=endpoint.project_id).first()
    if version is None or not version.manifest_digest or version.environment_request is None:
        return None, {}
    signature = compile_signature(served_signature(version.signature))
    frames = {}
    for place, taken in enumerate(found.requests):
        if taken.frame is not None and taken.version_id == version_id:
            frame, _ = fitted(signature, taken.inputs)
            if frame is not None:
                frames[place] = frame
    return (version, frames) if frames else (None, {})


def _selection(found: Gathered, wanted: int) -> dict[str, Any]:
    answered: dict[UUID, int] = dict(found.answered_by())
    names = {v.pk: str(v) for v in ModelVersion.objects.select_related("model").filter(pk__in=answered)}
    return {
        "wanted": wanted,
        "requests": len(found.requests),
        "rows": found.rows,
        "refused": sum(taken.frame is None for taken in found.requests),
        "left_out": dict(found.left_out),
        "redacted_columns": sorted(found.redacted),
        "limit": found.limit,
        "answered_by": [
            {"id": str(pk), "version": names.get(pk, "a version that is gone"), "requests": count}
            for pk, count in answered.items()
        ],
    }


def _workload(
    endpoint: Endpoint, version: ModelVersion, path: Path, frames: list[Frame], acting_user: Actor
) -> Workload:
    made = path.compiled
    digest, size = (made.manifest_digest, made.size) if made else (version.manifest_digest, version.size)
    content = json.dumps(shaped(frames))
    return create_workload(
        kind=Workload.Kind.REPLAY,
        name=f"replay of {version} for {endpoint.name}",
        command=[
            *("{python}", "-m", "modelwright_runtime.replaying"),
            *("--compiled" if made else "--model", f"{{model:{digest}}}"),
            *("--input", INPUT, "--out", RESULT),
        ],
        cpu=CPU,
        memory_bytes=endpoint.memory_bytes + MEMORY_PER_FILE_BYTE * size + MEMORY_PER_INPUT_BYTE * len(content),
        timeout_seconds=TIMEOUT_SECONDS,
        environment_request=made.environment_request if made else version.environment_request,
        models=[digest],
        files={INPUT: content},
        acting_user=acting_user,
        workspace_id=endpoint.workspace_id,
        project_id=endpoint.project_id,
    )


@transaction.atomic
def conclude(replay: Replay, report: Report, reasons: list[str], detail: str, *, acting_user: Actor) -> bool:
    """Note the outcome, and put it on record as the candidate's check. False where it is over already."""
    facts = {"report": storable_json(report), "reasons": storable_json(reasons), "detail": storable_json(detail)}
    if not transitions.conclude(replay, passed=not reasons, **facts):
        return False
    replay.refresh_from_db()
    record_check(
        replay.candidate,
        CHECK,
        replay.state,
        replay.detail,
        {
            "replay": str(replay.pk),
            "endpoint": str(replay.endpoint_id),
            "endpoint_name": replay.endpoint.path,
            "stage": replay.endpoint.stage,
            "requests": replay.selection["requests"],
            "reasons": replay.reasons,
            "flips": report["flips"],
        },
        acting_user=acting_user,
    )
    _ended(replay, acting_user)
    return True


@transaction.atomic
def give_up(replay: Replay, *, reason: str, acting_user: Actor) -> None:
    """Note that it came to no result: that is no check, neither passed nor failed."""
    if transitions.give_up(replay, detail=storable_json(reason)):
        replay.refresh_from_db()
        _ended(replay, acting_user)


@transaction.atomic
def cancel(replay: Replay, *, reason: str = "", acting_user: Actor) -> Replay:
    """End it without a result, so without a check, and what runs for it. Raises PermissionRefused, Conflict where it is
    over."""
    role = authorize(acting_user, Permission.ENDPOINT_DEPLOY, replay.endpoint.project)
    detail = f"Cancelled by {acting_user.name}. {reason.strip()[:500]}".strip()
    if not transitions.cancel(replay, detail=storable_json(detail)):
        raise Conflict("This replay is over already.", remedy="Reload the page to see what came of it.")
    for workload in (replay.workload, replay.base_workload):
        if workload is not None:
            _end(workload, acting_user)
    replay.refresh_from_db()
    _ended(replay, acting_user, role=role, reason=reason.strip())
    return replay


def _end(workload: Workload, acting_user: Actor) -> None:
    try:
        with transaction.atomic():
            request_cancel(workload, acting_user=acting_user, reason="Its replay was cancelled.")
    except Conflict:
        return  # It has ended by itself.


def _ended(replay: Replay, acting_user: Actor, **facts: Any) -> None:
    after = {"state": replay.state, "reasons": replay.reasons, "detail": replay.detail[:500]}
    audit(AuditAction.REPLAY_ENDED, replay, acting_user=acting_user, after=after, **facts)
