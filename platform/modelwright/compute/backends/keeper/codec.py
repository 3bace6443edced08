"""Specs, keys and statuses as JSON. What comes in is checked field by field; nothing unknown gets through."""

from __future__ import annotations

import json
import re
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

from modelwright.compute.backends.base import (
    ArchiveSource,
    BackendError,
    Cause,
    ImageMissingError,
    Limits,
    Machine,
    Phase,
    SourceError,
    UnavailableError,
    WorkloadKey,
    WorkloadSpec,
    WorkloadStatus,
)

LARGEST_MESSAGE = 16 * 1024 * 1024
LARGEST_INDEX = 1024
_LENGTH = struct.Struct(">I")
_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_FILE = re.compile(r"[A-Za-z0-9_]{1,128}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_IMAGE = re.compile(r"[A-Za-z0-9._/:@-]{0,255}")
ERRORS: dict[str, type[BackendError]] = {
    "source": SourceError,
    "image": ImageMissingError,
    "unavailable": UnavailableError,
    "backend": BackendError,
}
Json = Mapping[str, Any]


class RefusedError(BackendError):
    """The message is not what this interface takes."""


def send(connection: socket.socket, message: Json) -> None:
    """One message: a length of four bytes, then JSON."""
    data = json.dumps(message).encode()
    connection.sendall(_LENGTH.pack(len(data)) + data)


def receive(connection: socket.socket) -> dict[str, Any]:
    """The next message. Raises ConnectionError when there is none, RefusedError when it is none of ours."""
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    if length > LARGEST_MESSAGE:
        raise RefusedError(f"A message of {length} bytes is larger than {LARGEST_MESSAGE}.")
    try:
        value = json.loads(_exactly(connection, length))
    except ValueError as error:
        raise RefusedError("The message is not JSON.") from error
    return dict(_object(value, "message"))


def _exactly(connection: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        piece = connection.recv(min(65536, length - len(data)))
        if not piece:
            raise ConnectionError("the other side has gone")
        data += piece
    return bytes(data)


def key_to_json(key: WorkloadKey) -> Json:
    """The inverse of `key_from_json`."""
    return {"workload_id": key.workload_id, "fence": key.fence}


def key_from_json(value: object) -> WorkloadKey:
    """A key whose name is safe as the name of a folder and of a container."""
    given = _known(value, "key", {"workload_id", "fence"})
    workload_id, fence = _text(given, "workload_id", _KEY), given.get("fence")
    if not isinstance(fence, int) or isinstance(fence, bool) or fence < 0:
        raise RefusedError("key.fence must be a whole number of at least 0.")
    return WorkloadKey(workload_id, fence)


def spec_to_json(spec: WorkloadSpec) -> Json:
    """The inverse of `spec_from_json`."""
    return {
        "key": key_to_json(spec.key),
        "command": list(spec.command),
        "environment": dict(spec.environment),
        "limits": asdict(spec.limits),
        "source": asdict(spec.source) if spec.source else None,
        "files": dict(spec.files),
        "secret_files": dict(spec.secret_files),
        "masked": list(spec.masked),
        "directory": spec.directory,
        "readable": list(spec.readable),
        "writable": list(spec.writable),
        "gpus": list(spec.gpus),
        "image": spec.image,
        "kind": spec.kind,
        "port": spec.port,
        "labels": dict(spec.labels),
    }


def spec_from_json(value: object) -> WorkloadSpec:
    """A spec in which every field has its type. What a host allows of it is the backend's to say."""
    given = _known(value, "spec", {field.name for field in fields(WorkloadSpec)})
    command = _texts(given.get("command"), "command")
    if not command or not command[0]:
        raise RefusedError("spec.command must name a program.")
    return WorkloadSpec(
        key=key_from_json(given.get("key")),
        command=command,
        environment=_mapping(given.get("environment", {}), "environment"),
        limits=_limits(given.get("limits", {})),
        source=_source(given.get("source")),
        files=_mapping(given.get("files", {}), "files"),
        secret_files=_file_names(_mapping(given.get("secret_files", {}), "secret_files")),
        masked=tuple(_texts(given.get("masked", []), "masked")),
        directory=_text(given, "directory", default=""),
        readable=_texts(given.get("readable", []), "readable"),
        writable=_texts(given.get("writable", []), "writable"),
        gpus=_indexes(given.get("gpus", [])),
        image=_text(given, "image", _IMAGE, default=""),
        kind=_text(given, "kind", _KIND, default="workload"),
        port=_port(given.get("port", 0)),
        labels=_mapping(given.get("labels", {}), "labels"),
    )


def status_to_json(status: WorkloadStatus) -> Json:
    """The inverse of `status_from_json`."""
    return {**asdict(status), "key": key_to_json(status.key)}


def status_from_json(value: object) -> WorkloadStatus:
    """A status, from the keeper, which is trusted to send whole ones."""
    given = dict(_known(value, "status", {field.name for field in fields(WorkloadStatus)}))
    cause = given.pop("cause")
    return WorkloadStatus(
        key=key_from_json(given.pop("key")),
        phase=Phase(given.pop("phase")),
        cause=Cause(cause) if cause else None,
        **given,
    )


def machine_to_json(machine: Machine) -> Json:
    """The inverse of `machine_from_json`."""
    return {**asdict(machine), "gpus": list(machine.gpus), "labels": dict(machine.labels)}


def machine_from_json(value: object) -> Machine:
    """A machine, from the keeper, which is trusted to send whole ones."""
    return Machine(**_known(value, "machine", {field.name for field in fields(Machine)}))


def error_to_json(error: BackendError) -> Json:
    """An error that `error_from_json` raises again on the other side."""
    for kind, made in ERRORS.items():
        if isinstance(error, made):
            return {"error": {"kind": kind, "message": str(error)}}
    raise AssertionError


def error_from_json(value: object) -> BackendError:
    """The error that the other side met."""
    given = _object(value, "error")
    return ERRORS.get(str(given.get("kind")), BackendError)(str(given.get("message")))


def _limits(value: object) -> Limits:
    names = {field.name for field in fields(Limits)}
    given = _known(value, "limits", names)
    if not isinstance(given.get("cpu_hard", False), bool):
        raise RefusedError("limits.cpu_hard must be true or false.")
    for name, number in given.items():
        if name == "cpu_hard":
            continue
        check: Callable[[Any], bool] = _is_whole if name in _WHOLE else _is_number
        if number is None and name in _OPTIONAL:
            continue
        if not check(number) or number < 0:
            raise RefusedError(f"limits.{name} must be a number of at least 0.")
    return Limits(**given)


_WHOLE = {"memory_bytes", "processes", "open_files", "log_bytes"}
_OPTIONAL = {"cpu", "memory_bytes", "timeout_seconds", "processes", "open_files"}


def _source(value: object) -> ArchiveSource | None:
    if value is None:
        return None
    given = _known(value, "source", {"path", "sha256"})
    path = _text(given, "path")
    if not path.startswith("/"):
        raise RefusedError("source.path must be an absolute path.")
    return ArchiveSource(path, _text(given, "sha256", _DIGEST))


def _port(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 65536:
        raise RefusedError("spec.port must be the number of a port, or 0.")
    return value


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return _is_whole(value) or (isinstance(value, float) and value == value and value != float("inf"))


def _object(value: object, what: str) -> Json:
    if not isinstance(value, dict):
        raise RefusedError(f"{what} must be an object.")
    return value


def _known(value: object, what: str, names: set[str]) -> dict[str, Any]:
    given = dict(_object(value, what))
    if unknown := set(given) - names:
        raise RefusedError(f"{what} has no field {sorted(unknown)[0]!r}.")
    return given


def _text(given: Json, name: str, pattern: re.Pattern[str] | None = None, *, default: str | None = None) -> str:
    value = given.get(name, default)
    if not isinstance(value, str) or "\0" in value or (pattern is not None and not pattern.fullmatch(value)):
        raise RefusedError(f"{name} has not the form that is expected.")
    return value


def _texts(value: object, what: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) and "\0" not in item for item in value):
        raise RefusedError(f"{what} must be a list of texts.")
    return value


def _indexes(value: object) -> list[int]:
    if not isinstance(value, list) or not all(_is_whole(item) and 0 <= item < LARGEST_INDEX for item in value):
        raise RefusedError("gpus must be a list of indexes.")
    return value


def _file_names(files: dict[str, str]) -> dict[str, str]:
    if any(not _FILE.fullmatch(name) for name in files):
        raise RefusedError("secret_files must be named by letters, digits and underscores.")
    return files


def _mapping(value: object, what: str) -> dict[str, str]:
    given = dict(_object(value, what))
    for name, text in given.items():
        if not name or not isinstance(text, str) or "\0" in name + text:
            raise RefusedError(f"{what} must map names to texts.")
    return given
