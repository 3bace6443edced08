"""One batch job from its description to its end."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from modelwright_runtime.server import codec

from . import fetching, outputs, tables
from .checking import Checker, Mismatch, plain
from .client import Platform
from .errors import ScoringError
from .files import BROKEN, Chunk, CsvSource, ParquetSource, Raw, Source
from .ids import prediction_id
from .limits import MAX_HEADER_BYTES, MAX_HOLDERS, MAX_INPUT_BYTES, MAX_PART_BYTES, is_heavy
from .pieces import Piece
from .predicting import Model, Scored, predict
from .writing import WriteBack

CONNECTION = "MODELWRIGHT_SCORING_CONNECTION"
_INPUT, _OUTPUT = Path("input"), Path("output")


class Work:
    """Reads, predicts and hands over. What is stored already is not read again."""

    def __init__(self, platform: Platform, description: Mapping[str, Any], model: Model) -> None:
        self._platform = platform
        self._job = description
        self._model = model
        self._id = UUID(description["job"])
        self._keys: list[str] = description["key_columns"]
        self._connection: Any = None
        # What a file of a data connection turned out to be.
        self._fetched: tuple[str, int] | None = None
        # Its clock may be wrong, and ids are made of the platform's.
        self._clock = int(description["now_milliseconds"]) - int(time.monotonic() * 1000)
        self._target: WriteBack | None = None

    def run(self) -> None:
        """Do all of it. Raises `ScoringError`, and `client.Gone` where it is not wanted any more."""
        stored, source = self._job["stored"], self._source()
        checker = Checker(
            self._job["inputs"],
            source.columns,
            self._keys,
            is_text=source.is_text,
            redacted=self._job["redacted"],
        )
        self._platform.total(source.count(), self._fetched)
        number, row = int(stored["chunks"]), int(stored["rows"])
        if number:
            print(f"{row} rows in {number} chunks are stored already; going on after them.", flush=True)
            self._write_last(number - 1)
        for chunk in source.chunks(self._job["chunk_rows"], skip=row, after=stored["last_key"]):
            # A value of a redacted column may stand under another name in them, where nothing would redact it.
            number += self._score(number, row, chunk.without_broken() if self._job["redacted"] else chunk, checker)
            row += len(chunk.rows)
        self._join(number)
        self._platform.end(rows=row, chunks=number)
        print(f"{row} rows are scored.", flush=True)

    def _now(self) -> int:
        """Milliseconds since 1970 by the platform's clock."""
        return self._clock + int(time.monotonic() * 1000)

    def _source(self) -> Source:
        source = self._job["source"]
        if source["kind"] in ("table", "query"):
            given = json.loads(os.environ.pop(CONNECTION))
            self._connection = tables.connect(given["config"], given["secret"])
            what = {source["kind"]: source[source["kind"]]}
            made = tables.TableSource(self._connection, **what, key=self._keys[0])
            output = self._job["output"]
            if output["table"]:
                is_parquet = output["format"] == "parquet"
                self._target = WriteBack(
                    self._connection, output["table"], self._keys[0], made.key_type, is_parquet=is_parquet
                )
            return made
        if source["kind"] == "file":
            self._fetch(source)
        else:
            self._bring(source)
        return ParquetSource(_INPUT) if source["format"] == "parquet" else CsvSource(_INPUT)

    def _fetch(self, source: Mapping[str, Any]) -> None:
        self._fetched = fetching.fetch(json.loads(os.environ.pop(CONNECTION)), source["path"], _INPUT, MAX_INPUT_BYTES)
        before = source.get("sha256")
        if before and before != self._fetched[0]:
            raise ScoringError(
                f"The file {source['path']} is not the one with which the job began: its SHA-256 was {before[:12]}… "
                f"and is {self._fetched[0][:12]}…. Rows of both would stand in one output.",
                "Start a new job over the file as it is now.",
            )

    def _bring(self, source: Mapping[str, Any]) -> None:
        self._platform.input(_INPUT)
        with _INPUT.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256") if hasattr(hashlib, "file_digest") else _digest(file)
        if digest.hexdigest() != source["sha256"]:
            raise ScoringError("The input arrived damaged.", "Try again.")

    def _score(self, number: int, before: int, chunk: Chunk, checker: Checker) -> int:
        """Predict the rows and hand them over; return in how many chunks."""
        started = time.monotonic()
        scored = Scored(errors={place: (BROKEN, why) for place, why in chunk.broken.items()})
        rows = []
        records: list[list[Any] | None] = [None] * len(chunk.rows)
        for place, raw in enumerate(chunk.rows):
            if place not in chunk.broken:
                try:
                    records[place] = checker.row(raw)
                    rows.append((place, records[place]))
                except Mismatch as mismatch:
                    scored.errors[place] = ("signature", str(mismatch))
        self._stop_at_errors(before, scored)
        predict(self._model, checker.names, rows, scored, is_quiet=bool(self._job["redacted"]))  # type: ignore[arg-type]  # the fitting ones are lists
        self._stop_at_errors(before, scored)
        piece = Piece(before, chunk, records, scored, time.monotonic() - started)
        return self._hand_over(number, piece, checker)

    def _stop_at_errors(self, before: int, scored: Scored) -> None:
        if scored.errors and self._job["on_error"] == "stop":
            place = min(scored.errors)
            raise ScoringError(
                f"Row {before + place + 1} cannot be predicted. {scored.errors[place][1]}",
                "Correct the input, or let the job keep such rows with the reason.",
            )

    def _hand_over(self, number: int, piece: Piece, checker: Checker) -> int:
        """Store the rows, as one chunk or as several where that is too much at once; return how many."""
        before, chunk, records, scored, seconds = piece
        places = range(len(chunk.rows))
        # What a model returns may be of any library; from here on it is what JSON can say.
        predictions = codec.decode(codec.encode([scored.predictions.get(place) for place in places]))
        labels = codec.decode(codec.encode(scored.classes)) if scored.classes is not None else None
        probabilities = [scored.probabilities.get(place) for place in places]
        numbers = [before + place + 1 for place in places]
        milliseconds = self._now()
        ids = [prediction_id(self._id, milliseconds, row) for row in numbers]
        errors = {place: scored.errors[place] for place in sorted(scored.errors)}
        keys = {name: [plain(raw.get(name)) for raw in chunk.rows] for name in self._keys}
        columns = outputs.columns_of(
            keys,
            numbers,
            predictions,
            probabilities,
            labels,
            [str(each) for each in ids],
            [errors[place][1] if place in errors else None for place in places],
        )
        is_parquet = self._job["output"]["format"] == "parquet"
        part = outputs.parquet_part(columns) if is_parquet else outputs.csv_part(columns)
        header = codec.encode(
            {
                "first_row": before + 1,
                "rows": len(chunk.rows),
                "seconds": seconds,
                "milliseconds": milliseconds,
                "last_key": chunk.last_key,
                "columns": checker.names,
                "records": records,
                "raw": {str(place): self._raw(chunk.rows[place], checker.names) for place in errors},
                "predictions": predictions,
                "classes": labels,
                "probabilities": None if labels is None else probabilities,
                "errors": [
                    {"place": place, "code": code, "message": message, "key": self._key_of(keys, place)}
                    for place, (code, message) in errors.items()
                ],
            }
        )
        if is_heavy(header) or len(part) > MAX_PART_BYTES:
            return self._in_halves(number, piece, checker)
        if self._target is not None:
            self._target.prepare(predictions)
        self._platform.store(number, header, part)
        self._part(number).write_bytes(part)
        if self._target is not None:
            self._target.write(columns)
        failed = f", {len(errors)} of them failed" if errors else ""
        print(f"chunk {number}: rows {before + 1} to {before + len(chunk.rows)}{failed}, {seconds:.2f} s", flush=True)
        return 1

    def _in_halves(self, number: int, piece: Piece, checker: Checker) -> int:
        if len(piece.records) == 1:
            raise ScoringError(
                f"Row {piece.before + 1} is too large: with its prediction it has more than {MAX_HEADER_BYTES:,} bytes "
                f"or {MAX_HOLDERS:,} lists and objects.",
                "Leave it out, or give the model its values in a shorter form.",
            )
        stored = 0
        for half in piece.halves():
            stored += self._hand_over(number + stored, half, checker)
        return stored

    def _raw(self, row: Raw, names: list[str]) -> dict[str, Any]:
        """What stands on record of a row that failed: what the model would have had, and the keys."""
        return {name: plain(row[name]) for name in dict.fromkeys((*self._keys, *names)) if name in row}

    @staticmethod
    def _key_of(keys: Mapping[str, list[Any]], place: int) -> str:
        found = (values[place] for values in keys.values())
        return ", ".join(str(value) for value in found if value is not None)[:200]

    def _write_last(self, number: int) -> None:
        """Write the newest chunk that is stored to the table: the process before may have ended in between."""
        if self._target is not None:
            self._platform.part(number, self._part(number))
            self._target.write_stored(self._part(number))

    def _join(self, chunks: int) -> None:
        """One file of all parts, those of earlier attempts too."""
        parts = [self._part(number) for number in range(chunks)]
        for number, part in enumerate(parts):
            if not part.exists():
                self._platform.part(number, part)
        if parts:
            join = outputs.join_parquet if self._job["output"]["format"] == "parquet" else outputs.join_csv
            join(parts, _OUTPUT)
            self._platform.output(_OUTPUT)

    @staticmethod
    def _part(number: int) -> Path:
        return Path(f"part-{number}")


def _digest(file: Any) -> Any:
    """For Python 3.10, which has no `hashlib.file_digest`."""
    made = hashlib.sha256()
    while block := file.read(1024 * 1024):
        made.update(block)
    return made
