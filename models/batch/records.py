"""Predictions of a chunk for the record, from what the scoring process sent. A model's code ran beside that process, so
every value is checked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from modelwright_runtime.scoring.files import BROKEN
from modelwright_runtime.scoring.ids import prediction_id

from models.batch.models import BatchJob
from models.gateway.recording import WITHHELD, Recorder
from models.predictions.records import NULL, Ids, Record, text_field
from modelwright.core.errors import ValidationFailed
from modelwright.core.text import storable

PROTOCOL = "batch"
# Of the row, and of the model.
BAD_ROW, MODEL_FAILED = 422, 502
MAX_MESSAGE = 1000
MAX_COLUMNS = 10_000
SLACK_MILLISECONDS = 60_000


@dataclass(frozen=True, slots=True)
class Header:
    """What a chunk says of itself, checked."""

    first_row: int
    rows: int
    seconds: float
    milliseconds: int
    last_key: str
    columns: list[str]
    records: list[list[Any] | None]
    raw: dict[int, dict[str, Any]]
    predictions: list[Any]
    classes: list[Any] | None
    probabilities: list[Any]
    errors: dict[int, dict[str, str]]


def check(header: Any, most_rows: int) -> Header:
    """Raises ValidationFailed where the header is none."""
    try:
        return _checked(header, most_rows)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValidationFailed(
            f"The chunk is not what it should be: {error!s:.200}.", remedy="Use the runtime of this platform."
        ) from None


def _checked(header: Any, most_rows: int) -> Header:
    rows, columns = int(header["rows"]), [str(name) for name in header["columns"]]
    if not 1 <= rows <= most_rows or len(columns) > MAX_COLUMNS:
        raise ValueError(f"{rows} rows of {len(columns)} columns")
    classes = header["classes"]
    made = Header(
        first_row=int(header["first_row"]),
        rows=rows,
        seconds=min(max(0.0, float(header["seconds"])), 1e6),
        milliseconds=int(header["milliseconds"]),
        last_key=storable(str(header["last_key"])),
        columns=columns,
        records=list(header["records"]),
        raw={int(place): dict(values) for place, values in header["raw"].items()},
        predictions=list(header["predictions"]),
        classes=None if classes is None else list(classes),
        probabilities=[None] * rows if classes is None else list(header["probabilities"]),
        errors={int(each["place"]): _error(each) for each in header["errors"]},
    )
    if not rows == len(made.records) == len(made.predictions) == len(made.probabilities):
        raise ValueError("its lists are not equally long")
    if any(not 0 <= place < rows for place in (*made.errors, *made.raw)):
        raise ValueError("an error is of no row")
    if any(values is not None and len(values) != len(columns) for values in made.records):
        raise ValueError("a row has not all columns")
    if classes is not None and any(each is not None and len(each) != len(classes) for each in made.probabilities):
        raise ValueError("a row has not all probabilities")
    return made


def _error(given: Mapping[str, Any]) -> dict[str, str]:
    return {name: storable(str(given[name]))[:MAX_MESSAGE] for name in ("code", "message", "key")}


def records_of(job: BatchJob, header: Header, recorder: Recorder) -> list[Record]:
    """The predictions, one for each row. What the endpoint redacts is not in them."""
    redacted = frozenset(job.endpoint.redacted_columns if job.endpoint else ())
    common: Record = {
        "at": header.milliseconds / 1000,
        "endpoint_id": (job.endpoint_id or job.pk).hex,
        "deployment_id": job.pk.hex,
        "model_version_id": job.model_version_id.hex,
        "key_id": "",
        "protocol": PROTOCOL,
        "served_by": job.served_by,
        "latency_ms": round(header.seconds * 1000 / header.rows, 4),
    }
    made = []
    for place in range(header.rows):
        id_ = prediction_id(job.pk, header.milliseconds, header.first_row + place).hex
        inputs = [_inputs(job, header, place, is_withheld=bool(redacted))]
        if redacted:
            inputs = recorder.redacted(inputs, redacted)
        made.append({"id": id_, **common, "inputs": inputs, **_outcome(header, place, is_withheld=bool(redacted))})
    return made


def _inputs(job: BatchJob, header: Header, place: int, *, is_withheld: bool) -> dict[str, Any]:
    values = header.records[place]
    if values is not None:
        return dict(zip(header.columns, values, strict=True))
    if is_withheld and is_broken(header, place):
        return {}
    names = {*header.columns, *job.key_columns}
    return {name: value for name, value in header.raw.get(place, {}).items() if name in names}


def is_broken(header: Header, place: int) -> bool:
    """Whether nobody can tell under which names the values of the row stand, so that redaction by name is in vain."""
    return header.errors.get(place, {}).get("code") == BROKEN


def _outcome(header: Header, place: int, *, is_withheld: bool) -> Record:
    if (error := header.errors.get(place)) is not None:
        status = MODEL_FAILED if error["code"] == "model_error" else BAD_ROW
        said = {"code": error["code"], "message": WITHHELD if is_withheld else error["message"]}
        return {"outputs": [], "status": status, "error": said}
    made: Record = {"outputs": [header.predictions[place]], "status": 200}
    shares = header.probabilities[place]
    if header.classes is not None and shares is not None:
        made["probabilities"] = [dict(zip(map(str, header.classes), shares, strict=True))]
    return made


def check_moment(job: BatchJob, header: Header) -> None:
    """Raises ValidationFailed where the chunk is of a time before the attempt began, or to come."""
    began = int(job.started_at.timestamp() * 1000) if job.started_at else 0
    if not began - SLACK_MILLISECONDS <= header.milliseconds <= time.time() * 1000 + SLACK_MILLISECONDS:
        raise ValidationFailed(
            "The chunk is of a time that cannot be.", remedy="See whether the host's clock jumped; then try again."
        )


class BatchNames:
    """The names that a batch job's predictions are stored with."""

    def __init__(self, job: BatchJob) -> None:
        version, endpoint = job.model_version, job.endpoint
        self._columns = b"\t".join(
            (
                str(job.project_id).encode(),
                *((job.endpoint_id or job.pk).hex.encode(), job.pk.hex.encode(), version.pk.hex.encode()),
                NULL,
                text_field(endpoint.path) if endpoint else b"",
                NULL,
                text_field(version.model.name),
                b"%d" % version.number,
                text_field(str(job)),
            )
        )

    def prepare(self, wanted: Iterable[Ids]) -> set[Ids]:
        """All are known."""
        del wanted
        return set()

    def __call__(self, ids: Ids) -> bytes:
        """The columns `records.NAMED`."""
        del ids
        return self._columns
