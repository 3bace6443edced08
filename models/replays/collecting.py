"""Follows replays, and makes the report of what their workloads left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from models.predictions.models import Feedback, Prediction
from models.predictions.reexecution import answer_of
from models.predictions.verdicts import Answer
from models.replays import services, transitions
from models.replays.comparing import UNKNOWN, Kind, Row, kind_of, mark, score
from models.replays.judging import Report, latency_of, reasons_to_fail, report_of
from models.replays.models import Replay, ReplayChange, ReplayRequest
from models.replays.segments import put_into_segments
from modelwright.accounts.actors import Actor
from modelwright.compute import selectors as compute
from modelwright.compute.collecting import collect_each
from modelwright.compute.models import Workload
from modelwright.compute.results import RESULT, read_result
from modelwright.compute.services import forget_files, request_cancel
from modelwright.core.errors import Conflict
from modelwright.core.text import storable_json

JUDGE = Actor.system("replay gate")
MOST_CHANGES = 5000
_GONE = "The predictions have been deleted meanwhile, so there is nothing to compare with."


def tick() -> int:
    """Say which began, and judge those whose workloads have ended; return how many workloads were taken."""
    for replay in Replay.objects.filter(state="queued", workload__state="running")[:100]:
        transitions.run(replay)
    return collect_each(Workload.Kind.REPLAY, take=_take, give_up=_give_up)


def forget_changes() -> int:
    """Forget what is told of predictions that are deleted: retention of the one is retention of the other."""
    there = Prediction.objects.filter(pk=OuterRef("prediction_id"))
    gone, _ = ReplayChange.objects.exclude(Exists(there)).delete()
    # Of a replay that is over nobody asks any more which requests it asked.
    over = timezone.now() - timedelta(days=1)
    ReplayRequest.objects.filter(replay__finished_at__lt=over).delete()
    return gone


def _replay_of(workload: Workload) -> Replay | None:
    """The replay, locked: its two workloads may be taken at the same time, and whoever comes second judges."""
    mine = Q(workload=workload) | Q(base_workload=workload)
    locked = Replay.objects.select_for_update(of=("self",)).filter(mine)
    return locked.select_related("candidate__model__project", "base__model", "endpoint__workspace").first()


def _give_up(workload: Workload, error: Exception) -> None:
    replay = _replay_of(workload)
    if replay is not None:
        services.give_up(replay, reason=f"It left what cannot be used: {error}"[:2000], acting_user=JUDGE)
    forget_files(workload)


def _take(workload: Workload) -> None:
    replay = _replay_of(workload)
    forget_files(workload)
    if replay is None or not replay.is_under_way:
        return
    if workload.pk == replay.workload_id and workload.state != "succeeded":
        _stop_other(replay.base_workload)
        services.give_up(replay, reason=_why(workload), acting_user=JUDGE)
        return
    other_id = replay.base_workload_id if workload.pk == replay.workload_id else replay.workload_id
    if other_id is None or Workload.objects.filter(pk=other_id).exclude(collected_at=None).exists():
        _judge(replay)


def _stop_other(workload: Workload | None) -> None:
    if workload is not None and not workload.is_ended:
        try:
            request_cancel(workload, acting_user=JUDGE, reason="The replay came to no result.")
        except Conflict:
            return


def _why(workload: Workload) -> str:
    said = str(read_result(workload, RESULT).get("error") or "") or workload.detail or compute.log_tail(workload, 5)
    return f"{workload.get_state_display()}. {said[:2000]}".strip()


def _judge(replay: Replay) -> None:
    result = read_result(replay.workload, RESULT)
    answers = result.get("answers")
    asked = list(replay.requests.order_by("place"))
    if not isinstance(answers, list) or len(answers) != sum(not each.refused for each in asked):
        raise ValueError("there is not one answer for each request in it")
    rows, times = _rows(asked, answers)
    if not rows:
        services.give_up(replay, reason=_GONE, acting_user=JUDGE)
        return
    kind = kind_of(rows)
    mark(rows, kind, replay.thresholds["numeric_tolerance"])
    put_into_segments(rows, replay.thresholds["segment_columns"])
    report = report_of(rows, kind, _latency(replay, asked, times))
    reasons = reasons_to_fail(report, replay.thresholds)
    report["changes_kept"] = _keep_changes(replay, rows)
    services.conclude(replay, report, reasons, _words(report, reasons), acting_user=JUDGE)


def _rows(asked: list[ReplayRequest], answers: list[Any]) -> tuple[list[Row], list[float | None]]:
    """A row for each record of each prediction that is still there; how long each answered request took, by place."""
    ids = [each.prediction_id for each in asked]
    predictions = Prediction.objects.filter(pk__in=ids).only("id", "inputs", "outputs", "probabilities").in_bulk()
    truths = _truths(ids)
    rows: list[Row] = []
    times: list[float | None] = []
    left = iter(answers)
    for each in asked:
        payload = None if each.refused else next(left)
        times.append(None if payload is None or "error" in payload else _milliseconds(payload))
        if (prediction := predictions.get(each.prediction_id)) is not None:
            rows.extend(_rows_of(prediction, payload, each.refused, truths))
    return rows, times


def _rows_of(prediction: Prediction, payload: Any, refused: str, truths: dict[tuple[UUID, int], Any]) -> Iterator[Row]:
    error, answer = refused, None
    if payload is not None:
        error = str(payload.get("error") or "")[:500]
        answer = None if error else answer_of(payload)
        if answer is not None and len(answer.outputs) != len(prediction.outputs):
            raise ValueError("it has more answers than records, or fewer")
    for index, before in enumerate(prediction.outputs):
        yield Row(
            prediction_id=prediction.pk,
            record=index,
            values=_at(prediction.inputs, index),
            before=before,
            after=UNKNOWN if answer is None else answer.outputs[index],
            scores_before=_at(prediction.probabilities, index) or None,
            scores_after=_scores(answer, index),
            error=error,
            truth=truths.get((prediction.pk, index), UNKNOWN),
        )


def _at(values: Any, index: int) -> dict[str, Any]:
    found = values[index] if isinstance(values, list) and index < len(values) else None
    return found if isinstance(found, dict) else {}


def _scores(answer: Answer | None, index: int) -> dict[str, Any] | None:
    return _at(list(answer.probabilities), index) or None if answer is not None and answer.probabilities else None


def _milliseconds(payload: dict[str, Any]) -> float | None:
    found = payload.get("ms")
    return float(found) if isinstance(found, int | float) and 0 <= found < 1e9 else None


def _truths(ids: list[UUID]) -> dict[tuple[UUID, int], Any]:
    """What counts as true, by prediction and record: of what fits the answer's type, what was known last."""
    said = Feedback.objects.filter(prediction_id__in=ids, problem="")
    newest = said.order_by("prediction_id", "record", "-known_at", "-id").distinct("prediction_id", "record")
    found = newest.values_list("prediction_id", "record", "truth")
    return {(pk, record): truth for pk, record, truth in found if pk is not None}


def _latency(replay: Replay, asked: list[ReplayRequest], times: list[float | None]) -> Report:
    """Of candidate and base, measured in the same way and on the same requests; `factor` is of the medians."""
    made: Report = {"candidate": latency_of([ms for ms in times if ms is not None]), "base": None, "factor": None}
    if replay.base_workload is None:
        return {**made, "note": "The version that answered is not there any more, so it was not timed beside it."}
    answers = read_result(replay.base_workload, RESULT).get("answers")
    places = [place for place, each in enumerate(asked) if each.asks_base]
    if not isinstance(answers, list) or len(answers) != len(places):
        return {**made, "note": f"{replay.base} could not be timed beside it: {_why(replay.base_workload)}"[:500]}
    pairs = [
        (new, old)
        for place, payload in zip(places, answers, strict=True)
        if (new := times[place]) is not None
        and isinstance(payload, dict)
        and "error" not in payload
        and (old := _milliseconds(payload)) is not None
    ]
    if not pairs:
        return {**made, "note": "No request was answered by both versions."}
    mine, of_base = latency_of([pair[0] for pair in pairs]), latency_of([pair[1] for pair in pairs])
    factor = mine["p50"] / of_base["p50"] if mine and of_base and of_base["p50"] > 0 else None
    return {"candidate": mine, "base": of_base, "factor": factor, "note": ""}


def _keep_changes(replay: Replay, rows: list[Row]) -> int:
    """Store the records that are answered otherwise or not at all, at most 5,000; return how many."""
    changed = [row for row in rows if row.is_flip or not row.is_answered][:MOST_CHANGES]
    ReplayChange.objects.bulk_create(
        (
            ReplayChange(
                replay=replay,
                prediction_id=row.prediction_id,
                record=row.record,
                before=storable_json(row.before),
                after=storable_json(row.after) if row.is_answered else None,
                score_before=score(row.scores_before, row.before),
                score_after=score(row.scores_after, row.after) if row.is_answered else None,
                truth=None if row.truth is UNKNOWN else row.truth,
                verdict=_verdict(row),
                error=storable_json(row.error),
                segments=storable_json(row.segments),
            )
            for row in changed
        ),
        batch_size=1000,
    )
    return len(changed)


def _verdict(row: Row) -> str:
    if row.truth is UNKNOWN or not row.is_answered:
        return ""
    if str(row.after) == str(row.truth):
        return str(ReplayChange.Verdict.BETTER)
    return str(ReplayChange.Verdict.WORSE if str(row.before) == str(row.truth) else ReplayChange.Verdict.NEITHER)


def _words(report: Report, reasons: list[str]) -> str:
    if reasons:
        return " ".join(reasons)
    flips = report["flips"]
    what = "number" if report["kind"] == Kind.NUMBER else "answer"
    return (
        f"{flips['rows']} of {report['answered']} records get another {what} "
        f"({100 * flips['rate']:.3g} %, 95 % interval {100 * flips['low']:.3g} % to {100 * flips['high']:.3g} %)."
    )
