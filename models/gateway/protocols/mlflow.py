"""What MLflow's own scoring server answers at `/invocations`, `/ping` and `/version`."""

from __future__ import annotations

from itertools import islice
from typing import Any

import orjson

from models.gateway import answers
from models.gateway.fields import are_unnamed
from models.gateway.http import Request
from models.gateway.pending import Prediction
from models.gateway.protocols import csv_table
from models.gateway.protocols.base import Asked, Protocol, State
from models.gateway.protocols.bodies import (
    Record,
    bad,
    check_count,
    from_columns,
    from_values,
    json_object,
    limited,
    repeated,
)
from models.gateway.protocols.mlflow_tables import as_arrays, with_truths
from models.gateway.protocols.refusals import words
from models.gateway.responses import JSON, Response
from models.gateway.routes import Match, Target
from models.gateway.words import describe

SPEAKS = "3.17.2"  # the release of MLflow whose scoring protocol this is
FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
JSON_TYPE, CSV_TYPE = "application/json", "text/csv"
REMEDY = (
    'Send {"dataframe_split": {"columns": [...], "data": [[...]]}}, {"dataframe_records": [{...}]}, '
    '{"instances": [...]} or {"inputs": {...}} as JSON, or CSV with Content-Type: text/csv.'
)
PLAIN = b"text/plain; charset=utf-8"

_ERROR_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "ENDPOINT_NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Mlflow(Protocol):
    """See the module. As there, columns that the model does not have are left out."""

    name = "mlflow"

    def decode(self, request: Request, match: Match, target: Target) -> Asked:
        """The records of any of the forms. Raises `BadBody`."""
        if _is_csv(request.content_type):
            records: list[Any] = list(csv_table.records_of(request.body, target.signature.fields, answers.MAX_RECORDS))
        else:
            records = _records_of(json_object(request.body, REMEDY), target)
        return Asked(_known(with_truths(limited(records), target), target), _encode)

    def read(self, match: Match, state: State) -> Response:
        """Health and version."""
        if match.operation == "version":
            return Response(200, SPEAKS.encode())
        return Response(200 if state.is_ready(match) else 503, b"\n")

    def refusal(self, response: Response) -> Response:
        """MLflow's `{"error_code", "message"}`; plain text for a type of content that nobody reads."""
        status = 400 if response.status == 422 else response.status
        text = words(response)
        if status == 415:
            return response._replace(body=text.encode(), content_type=PLAIN)
        body = {"error_code": _ERROR_CODES.get(status, "INTERNAL_ERROR" if status >= 500 else "BAD_REQUEST")}
        return response._replace(status=status, body=orjson.dumps({**body, "message": text}), content_type=JSON)


def _encode(result: Prediction, prediction_id: str) -> Response:
    return answers.identified({"predictions": result.predictions}, prediction_id)


def _is_csv(content_type: bytes) -> bool:
    """Whether the body is CSV; JSON otherwise. Raises `BadBody` for anything else."""
    if content_type == b"application/json":
        return False
    kind, *parameters = [part.strip() for part in content_type.decode("latin-1").split(";")]
    named = dict(parameter.partition("=")[::2] for parameter in parameters)
    if named.pop("charset", "utf-8").strip('"').lower() not in ("utf-8", "utf8"):
        raise bad("The body is in another charset than UTF-8.", "Send UTF-8.", status=415)
    if any(named):
        others = ", ".join(named)[:200]
        raise bad(f"The parameters {others} of Content-Type are unknown.", "Leave them out.", status=415)
    if kind.lower() not in ("", JSON_TYPE, CSV_TYPE):
        raise bad(f"Bodies of the type {kind[:200]} are not read.", f"Send {JSON_TYPE} or {CSV_TYPE}.", status=415)
    return kind.lower() == CSV_TYPE


def _records_of(data: dict[str, Any], target: Target) -> list[Any]:
    given = [name for name in FORMATS if name in data]
    if len(given) != 1:
        found = ", ".join(name[:80] for name in list(data)[:10]) or "no key at all"
        raise bad(f"The body needs exactly one of {', '.join(FORMATS)}; it has {found}.", REMEDY)
    if data.get("params"):
        raise bad("The model is asked with params, which the gateway does not hand on.", "Leave params out.")
    form, value = given[0], data[given[0]]
    if form == "dataframe_split":
        return as_arrays(_split(value), target)
    if form == "dataframe_records" and not (isinstance(value, list) and all(type(item) is dict for item in value)):
        raise bad(f"dataframe_records is no list of objects but {describe(value)}.", REMEDY)
    if form == "inputs" and isinstance(value, dict):
        return list(from_columns(value, REMEDY))
    if isinstance(value, list):
        records = from_values(value, target, REMEDY)
        return as_arrays(records, target) if form == "dataframe_records" else records
    if form == "inputs" and value is not None:
        return from_values([value], target, REMEDY)
    raise bad(f"{form} is no list but {describe(value)}.", REMEDY)


def _split(value: Any) -> list[Record]:
    if not isinstance(value, dict):
        raise bad(f"dataframe_split is no object but {describe(value)}.", REMEDY)
    others = [name[:80] for name in value if name not in ("columns", "data", "index")]
    if "data" not in value or others:
        found = f"the keys {', '.join(others[:10])}" if others else "no data"
        raise bad(f"dataframe_split has {found}; it has columns, data and perhaps index.", REMEDY)
    data, columns = value["data"], value.get("columns")
    if not isinstance(data, list) or not all(type(row) is list for row in data):
        raise bad(f"data is no list of lists but {describe(data)}.", REMEDY)
    check_count(len(data))
    if columns is None:
        columns = list(range(len(data[0]) if data else 0))
    if not isinstance(columns, list) or not all(type(name) in (str, int) for name in columns):
        raise bad(f"columns is no list of names but {describe(columns)}.", REMEDY)
    names = [str(name) for name in columns]
    twice = repeated(names)
    if twice is not None:
        raise bad(f"columns names {twice[:80]!r} twice.", REMEDY)
    wrong = next((i for i, row in enumerate(data) if len(row) != len(names)), None)
    if wrong is not None:
        raise bad(f"data[{wrong}] has {len(data[wrong])} values for {len(names)} columns.", REMEDY)
    return [dict(zip(names, row, strict=True)) for row in data]


def _known(records: list[Any], target: Target) -> list[Any]:
    names = {field.name for field in target.signature.fields}
    if not names:
        return records
    if are_unnamed(target.signature.fields) and not records[0].keys() <= names:
        names = set(islice(records[0], len(names)))
    return [
        record if record.keys() <= names else {name: value for name, value in record.items() if name in names}
        for record in records
    ]
