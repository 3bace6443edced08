"""Candidate and base side by side, for people: figures, how often each was right, what a shadow answered otherwise."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from models.endpoints.models import Deployment
from models.predictions import histogram
from models.registry.models import ModelVersion
from models.replays.intervals import Interval, difference, wilson
from models.rollouts import figures
from models.rollouts.conditions import Figures
from models.rollouts.models import Rollout
from models.rollouts.units import effective

# The newest predictions that truth is looked for among, and the newest pairs of a shadow.
NEWEST = 50_000
NEWEST_PAIRS = 5_000
MOST_EXAMPLES = 20

_RIGHT = """
WITH newest AS (
  SELECT coalesce(shadow_of, id) AS asked, model_version_id, outputs, assignment ->> 'unit' AS unit
    FROM predictions_prediction
   WHERE deployment_id = ANY(%(deployments)s) AND status = 200 AND fallback = ''
   ORDER BY id DESC LIMIT %(newest)s
), said AS (
  SELECT DISTINCT ON (prediction_id, record) prediction_id, record, truth FROM predictions_feedback
   WHERE endpoint_id = %(endpoint)s AND problem = '' AND prediction_id IN (SELECT asked FROM newest)
   ORDER BY prediction_id, record, known_at DESC, id DESC
)
SELECT model_version_id, count(*) FILTER (WHERE outputs -> record = truth), count(*)
  FROM newest JOIN said ON prediction_id = asked
 WHERE outputs -> record IS NOT NULL
 GROUP BY model_version_id, coalesce(unit, asked::text || record)
"""

_PAIRS = """
WITH pair AS (
  SELECT shadow.id, client.id AS client_id, shadow.outputs, client.outputs AS client_outputs, shadow.status,
         shadow.latency_ms - client.latency_ms AS slower
    FROM (SELECT id, shadow_of, outputs, status, latency_ms FROM predictions_prediction
           WHERE deployment_id = ANY(%(deployments)s) AND role = 'shadow' AND model_version_id = %(version)s
           ORDER BY id DESC LIMIT %(newest)s) shadow
    JOIN predictions_prediction client ON client.id = shadow.shadow_of AND client.status = 200
)
"""
_PAIR_COUNTS = f"""{_PAIRS}
SELECT count(*), count(*) FILTER (WHERE status = 200 AND outputs IS DISTINCT FROM client_outputs),
       count(*) FILTER (WHERE status <> 200), percentile_cont(0.5) WITHIN GROUP (ORDER BY slower)
  FROM pair
"""  # noqa: S608 - no value is in it
_PAIR_EXAMPLES = f"""{_PAIRS}
SELECT id, client_id, outputs, client_outputs FROM pair
 WHERE status = 200 AND outputs IS DISTINCT FROM client_outputs ORDER BY id DESC LIMIT %(most)s
"""  # noqa: S608 - no value is in it


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the two versions in the deployments of the rollout. `right` is the share of records whose truth is known
    that it answered right, None where none is known or answers are no classes."""

    version: ModelVersion
    is_candidate: bool
    figures: Figures
    known: int
    right: Interval | None

    @property
    def p50_ms(self) -> float | None:
        """Half of its answers took no longer."""
        return histogram.percentile(self.figures.latency, 0.5)

    @property
    def p99_ms(self) -> float | None:
        """99 % of its answers took no longer."""
        return self.figures.p99_ms()

    @property
    def error_share(self) -> float | None:
        """The share of its requests that failed."""
        return self.figures.errors / self.figures.requests if self.figures.requests else None

    @property
    def answer_shares(self) -> list[tuple[str, int, float]]:
        """Answer, records, share; the most frequent first."""
        total = sum(self.figures.answers.values())
        return [(answer, count, count / total) for answer, count in self.figures.answers.items()]


@dataclass(frozen=True, slots=True)
class Pairs:
    """What a shadow answered beside what clients got: requests, those answered otherwise, those that failed, and by
    how many ms it was slower in the median; `examples` are (its id, the client's id, its outputs, the client's)."""

    requests: int
    different: int
    failed: int
    slower_ms: float | None
    examples: list[tuple[UUID, UUID, Any, Any]]

    @property
    def share(self) -> Interval | None:
        """The share of requests that it answered otherwise."""
        answered = self.requests - self.failed
        return wilson(self.different, answered) if answered else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both versions over the whole rollout. `better` is how much more often the candidate was right."""

    candidate: Variant
    base: Variant
    better: Interval | None
    pairs: Pairs | None


def compare(rollout: Rollout) -> Comparison:
    """What is on record of both under the rollout's deployments. The caller has required PROJECT_VIEW."""
    own = _deployments(rollout)
    right = _right(rollout, own)
    candidate, base = (
        _variant(rollout, version, own, right) for version in (rollout.model_version, rollout.base_version)
    )
    better = None
    if candidate.right is not None and base.right is not None:
        of_candidate, of_base = (effective(right[version.pk]) for version in (candidate.version, base.version))
        better = difference(*of_candidate, *of_base)
    pairs = _pairs(rollout, own) if rollout.strategy == Rollout.Strategy.SHADOW else None
    return Comparison(candidate, base, better, pairs)


def _deployments(rollout: Rollout) -> list[UUID]:
    """Those in which both were asked: not the one after the end, nor the one before."""
    steps = Deployment.objects.filter(rollout_id=rollout.pk, targets__model_version_id=rollout.model_version_id)
    both = steps.filter(
        pk__in=Deployment.objects.filter(targets__model_version_id=rollout.base_version_id).values("pk")
    )
    return list(both.values_list("pk", flat=True).distinct())


def _variant(
    rollout: Rollout, version: ModelVersion, deployments: list[UUID], right: dict[UUID, list[tuple[int, int]]]
) -> Variant:
    since, is_candidate = rollout.created_at, version.pk == rollout.model_version_id
    died_since = since if is_candidate else None
    found = figures.counted(rollout.endpoint_id, version.pk, deployments, since=since, died_since=died_since)
    answers = figures.answers(version.pk, deployments)
    found = Figures(found.requests, found.errors, found.fallbacks, found.latency, answers, found.deaths)
    units = right.get(version.pk, [])
    known = sum(records for _, records in units)
    return Variant(version, is_candidate, found, known, wilson(*effective(units)) if known and answers else None)


def _right(rollout: Rollout, deployments: list[UUID]) -> dict[UUID, list[tuple[int, int]]]:
    """By version, of each unit the records answered right and those whose truth is known; without units each record
    is one."""
    values: dict[str, Any] = {"deployments": deployments, "endpoint": rollout.endpoint_id, "newest": NEWEST}
    found: dict[UUID, list[tuple[int, int]]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_RIGHT, values)
        for version, hits, total in cursor.fetchall():
            found[version].append((hits, total))
    return found


def _pairs(rollout: Rollout, deployments: list[UUID]) -> Pairs:
    values: dict[str, Any] = {"deployments": deployments, "version": rollout.model_version_id, "newest": NEWEST_PAIRS}
    with connection.cursor() as cursor:
        cursor.execute(_PAIR_COUNTS, values)
        requests, different, failed, slower = cursor.fetchone() or (0, 0, 0, None)
        cursor.execute(_PAIR_EXAMPLES, {**values, "most": MOST_EXAMPLES})
        examples = [tuple(row) for row in cursor.fetchall()]
    return Pairs(requests, different, failed, slower, examples)
