"""What is known of candidate and base in the step that serves now, and what the conditions say to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from models.endpoints.models import Deployment
from models.predictions.spool_health import late_fault
from models.rollouts import figures
from models.rollouts.conditions import Conditions, Figures, Finding, judge
from models.rollouts.deciding import LastLook
from models.rollouts.models import Rollout

# How far before the rollout the base's figures may reach where its steps left it too few requests.
BEFORE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Sight:
    """Figures of both versions, what each condition says, and which look it was (0: none was due)."""

    candidate: Figures
    base: Figures
    findings: tuple[Finding, ...]
    look: int

    def as_json(self) -> dict[str, Any]:
        """As evidence keeps it."""
        return {
            "candidate": self.candidate.as_json(),
            "base": self.base.as_json(),
            "findings": [finding.as_json() for finding in self.findings],
            "look": self.look,
            "at": timezone.now().isoformat(),
        }


def conditions_of(rollout: Rollout) -> Conditions:
    """Its conditions."""
    return Conditions(**rollout.conditions)


def candidate_figures(rollout: Rollout) -> Figures:
    """What was counted of the candidate in this step."""
    if rollout.deployment_id is None:
        return Figures()
    return figures.counted(
        rollout.endpoint_id,
        rollout.model_version_id,
        [rollout.deployment_id],
        since=rollout.created_at,
        died_since=rollout.created_at,
    )


def base_figures(rollout: Rollout, least: int, *, answers: bool) -> Figures:
    """What was counted of the base in this step; where that is fewer than `least` requests, in the whole rollout and
    the hour before it."""
    base, endpoint = rollout.base_version_id, rollout.endpoint_id
    if rollout.deployment_id is None:
        return Figures()
    own = [rollout.deployment_id]
    found = figures.counted(endpoint, base, own, since=rollout.created_at, died_since=None)
    if found.requests < least:
        own = [*Deployment.objects.filter(rollout_id=rollout.pk).values_list("pk", flat=True), rollout.before_id]
        found = figures.counted(endpoint, base, own, since=rollout.created_at - BEFORE, died_since=None)
    return replace(found, answers=figures.answers(base, own)) if answers else found


def look(rollout: Rollout, candidate: Figures, number: int) -> Sight:
    """Test the conditions; `number` counts the looks of this step from 1."""
    conditions = conditions_of(rollout)
    watched = conditions.max_answer_shift is not None
    base = base_figures(rollout, conditions.min_requests, answers=watched)
    if watched:
        deployment = [rollout.deployment_id] if rollout.deployment_id else []
        candidate = replace(candidate, answers=figures.answers(rollout.model_version_id, deployment))
    return Sight(candidate, base, tuple(judge(conditions, candidate, base, look=number)), number)


def last_look(rollout: Rollout) -> LastLook:
    """What the newest evidence of this step says of the look before."""
    kept = rollout.evidence if rollout.looked_at else {}
    counted = kept.get("candidate", {})
    at = parse_datetime(str(kept.get("at", "")))
    return LastLook(at, rollout.looked_at, int(counted.get("errors", 0)) + int(counted.get("fallbacks", 0)))


def kept_findings(rollout: Rollout) -> list[Finding]:
    """What the newest look of this step found: a turn that was cut off after it must not forget what was broken."""
    return [Finding(**each) for each in rollout.evidence.get("findings", [])]


def is_record_late() -> bool:
    """Whether requests wait in a spool for so long, or its shipper has been silent for so long, that what is stored
    says little of what is going on."""
    return bool(late_fault())
