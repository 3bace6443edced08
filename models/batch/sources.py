"""What a batch job reads: checked, and brought to where any host can have it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from modelwright_runtime.scoring.limits import MAX_INPUT_BYTES

from models.batch.models import BatchInput, Format
from modelwright.core.errors import NotFound, ValidationFailed
from modelwright.storage.blobs import Blob, BlobStore, Readable
from modelwright.storage.bounded import BoundedReader
from modelwright.storage.settings import blob_store
from projects import source as repository
from projects.models import Project
from workspaces.models import DataConnection
from workspaces.selectors import data_connections

# What is in Git is copied from there each time.
MAX_REPOSITORY_BYTES = 256 * 1024**2
MAX_QUERY = 20_000
MAX_KEYS = 20
MAX_PATH = 500
# What is read by way of a data connection; the first two by a database.
TABLES = ("table", "query")
OF_CONNECTION = (*TABLES, "file")
TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}(\.[A-Za-z_][A-Za-z0-9_$]{0,62})?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asks to be read: one of the five, as `kind` says."""

    kind: str
    input: UUID | None = None
    path: str = ""
    commit: str = ""
    connection: str = ""
    table: str = ""
    query: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What is read, as `BatchJob.source`, and which connection it takes."""

    source: dict[str, Any]
    connection: DataConnection | None = None
    libraries: frozenset[str] = field(default_factory=frozenset)


def find(project: Project, wanted: Wanted) -> Found:
    """Raises NotFound and ValidationFailed."""
    if wanted.kind == "upload":
        return _upload(project, wanted.input)
    if wanted.kind == "repository":
        return _repository_file(project, wanted)
    if wanted.kind in TABLES:
        return _rows(project, wanted)
    if wanted.kind == "file":
        return _file_of_connection(project, wanted)
    raise ValidationFailed(
        f"{wanted.kind[:40]!r} is nothing that can be scored.",
        remedy="Choose upload, repository, file, table or query.",
        field="source.kind",
    )


def format_of(name: str) -> str:
    """By the name's ending. Raises ValidationFailed for another one."""
    ending = name.lower().rpartition(".")[2]
    if ending in ("csv", "tsv", "txt"):
        return str(Format.CSV.value)
    if ending in ("parquet", "pq"):
        return str(Format.PARQUET.value)
    raise ValidationFailed(
        f"It cannot be told from the name {name[:100]!r} how its rows lie in it.",
        remedy="Give a file whose name ends in .csv or .parquet.",
        field="name",
    )


def store_file(stream: Readable, size: int | None, store: BlobStore | None = None) -> Blob:
    """Store a file, among all blobs where no other store is named. Raises ValidationFailed where it is empty or too
    large, whatever `size` says."""
    if size is not None and size > MAX_INPUT_BYTES:
        raise _too_large(MAX_INPUT_BYTES, size)
    blob = (store or blob_store()).put_stream(BoundedReader(stream, MAX_INPUT_BYTES, _too_large))
    if not blob.size:
        raise ValidationFailed("The file is empty.", remedy="Give a file with rows.", field="file")
    return blob


def _too_large(limit: int, size: int | None = None) -> ValidationFailed:
    has = "more MiB than are taken" if size is None else f"{size / 1024**2:,.0f} MiB"
    return ValidationFailed(
        f"The file has {has}, and {limit // 1024**2:,} MiB is the most.",
        remedy="Split it, or put the rows into a table and score that.",
        field="file",
    )


def _upload(project: Project, input_id: UUID | None) -> Found:
    found = BatchInput.objects.filter(project=project, pk=input_id).first() if input_id else None
    if found is None:
        raise NotFound(
            "The project has no such uploaded file.", remedy="Upload it first, and give its id.", field="source.input"
        )
    if found.deleted_at is not None:
        raise ValidationFailed(
            f"{found.name} was deleted on {found.deleted_at:%Y-%m-%d}: nobody had used it as long as such are kept.",
            remedy="Upload it again.",
            field="source.input",
        )
    facts = {"name": found.name, "format": found.format, "sha256": found.sha256, "size": found.size}
    return _file({"kind": "upload", "input": str(found.pk), **facts, "apart": found.is_apart})


def _repository_file(project: Project, wanted: Wanted) -> Found:
    if not wanted.path:
        raise ValidationFailed(
            "It is not said which file is to be scored.",
            remedy="Give the path of a CSV or Parquet file in the project.",
            field="source.path",
        )
    commit = repository.check_commit(project, wanted.commit, field="source.commit")
    content = repository.read_file(project, commit, wanted.path, 0)
    if content.size > MAX_REPOSITORY_BYTES:
        raise _too_large(MAX_REPOSITORY_BYTES, content.size)
    with repository.FileStream(project, content.digest) as stream:
        blob = store_file(stream, content.size)
    facts = {"name": wanted.path, "path": wanted.path, "commit": commit, "format": format_of(wanted.path)}
    return _file({"kind": "repository", **facts, "sha256": blob.sha256, "size": blob.size})


def _file(source: dict[str, Any], connection: DataConnection | None = None) -> Found:
    libraries = {"pyarrow"} if source["format"] == Format.PARQUET else set()
    return Found(source, connection, frozenset(libraries))


def _file_of_connection(project: Project, wanted: Wanted) -> Found:
    """A file that the scoring process fetches by itself; what it was, it tells when it has it."""
    connection = _connection(project, wanted.connection)
    if connection.kind == DataConnection.Kind.POSTGRESQL:
        raise ValidationFailed(
            f"{connection.name} is a database and has no files.",
            remedy="Name a table or a query of it, or a connection to a store, a web address or a directory.",
            field="source.connection",
        )
    path = wanted.path.strip()
    if not path or len(path) > MAX_PATH or _is_no_path(path):
        raise ValidationFailed(
            f"{path[:100]!r} is no file of {connection.name}.",
            remedy="Give its path below what the connection names, such as 2026/customers.csv, without `..`.",
            field="source.path",
        )
    facts = {"connection": connection.name, "path": path, "name": path, "format": format_of(path)}
    return _file({"kind": "file", **facts}, connection)


def _is_no_path(path: str) -> bool:
    parts = path.split("/")
    return "\\" in path or not path.isprintable() or any(part in ("", ".", "..") for part in parts)


def _connection(project: Project, name: str) -> DataConnection:
    connection = data_connections(project.workspace).filter(name=name).first()
    if connection is None:
        names = ", ".join(data_connections(project.workspace).values_list("name", flat=True)) or "none"
        raise NotFound(
            f"The workspace has no data connection {name[:63]!r}. It has {names}.",
            remedy="Name one of them, or have an administrator of the workspace add one.",
            field="source.connection",
        )
    return connection


def _rows(project: Project, wanted: Wanted) -> Found:
    connection = _connection(project, wanted.connection)
    if connection.kind != DataConnection.Kind.POSTGRESQL:
        raise ValidationFailed(
            f"{connection.name} has no tables: it is {connection.get_kind_display()}.",
            remedy="Choose a connection to PostgreSQL, or name a file of this one (`file`).",
            field="source.connection",
        )
    source = {"kind": wanted.kind, "connection": connection.name}
    if wanted.kind == "table":
        source["table"] = check_table(wanted.table, "source.table")
    elif not wanted.query.strip() or len(wanted.query) > MAX_QUERY:
        raise ValidationFailed(
            f"The query must have 1 to {MAX_QUERY:,} characters.",
            remedy="Write one SELECT, without a semicolon.",
            field="source.query",
        )
    else:
        source["query"] = wanted.query.strip().rstrip(";")
    return Found(source, connection, frozenset({"psycopg"}))


def check_table(name: str, field_name: str) -> str:
    """The name of a table, with its schema or without. Raises ValidationFailed."""
    if not TABLE.fullmatch(name):
        raise ValidationFailed(
            f"{name[:130]!r} is no name of a table.",
            remedy="Write it as customers or sales.customers: letters, digits and underscores.",
            field=field_name,
        )
    return name


def check_keys(keys: list[str], found: Found, redacted: list[str]) -> list[str]:
    """The key columns. Raises ValidationFailed where they cannot be."""
    if len(set(keys)) != len(keys) or len(keys) > MAX_KEYS or any(len(key) > 200 or not key for key in keys):
        raise ValidationFailed(
            "The key columns are not right.", remedy=f"Name up to {MAX_KEYS} columns, each once.", field="key_columns"
        )
    if found.source["kind"] in TABLES and len(keys) != 1:
        raise ValidationFailed(
            "A table or query needs one key column.",
            remedy="Name the column that is different in each row: it orders the rows and names them in the output.",
            field="key_columns",
        )
    if withheld := [key for key in keys if key in redacted]:
        raise ValidationFailed(
            f"The endpoint redacts {', '.join(withheld)}, so it cannot stand in the output.",
            remedy="Choose another key column, or score without the endpoint.",
            field="key_columns",
        )
    return keys


def libraries_of(job_format: str, found: Found) -> frozenset[str]:
    """What the environment must have besides the model's own libraries."""
    return found.libraries | ({"pyarrow"} if job_format == Format.PARQUET else frozenset())
