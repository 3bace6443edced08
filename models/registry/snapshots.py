"""Takes a version's files into the platform's own storage and reads what they say of themselves."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.gateway.words import is_plain
from models.registry.mlmodel import Described, parse, served_signature
from modelwright.core.errors import ValidationFailed
from modelwright.storage.blobs import BlobStore
from modelwright.storage.manifests import Manifest, snapshot

MAX_TEXT = 1024 * 1024
MAX_EXAMPLE = 64 * 1024


@dataclass(frozen=True)
class Snapshot:
    """The stored files and what was read from them."""

    manifest_digest: str
    manifest: Manifest
    artifact_digest: str
    described: Described
    requirements: str
    example: dict[str, Any] | None


def take(store: BlobStore, folder: Path) -> Snapshot:
    """Store all files of a logged model. Raises ValidationFailed when it is no MLflow model or holds links."""
    if not folder.is_dir():
        raise ValidationFailed(
            "The version's source has no files.", remedy="Log a model under this path, then register it again."
        )
    digest, manifest = snapshot(store, folder)
    described = parse(_small(store, manifest, "MLmodel", 4 * MAX_TEXT, required=True))
    return Snapshot(
        manifest_digest=digest,
        manifest=manifest,
        artifact_digest=artifact_digest(manifest, described.data_path),
        described=described,
        requirements=_small(store, manifest, "requirements.txt", MAX_TEXT).decode("utf-8", "replace"),
        example=_example(store, manifest, described),
    )


def artifact_digest(manifest: Manifest, data_path: str) -> str:
    """The SHA-256 of the trained part: of its file, or of the manifest of its folder; of everything when unknown.

    Two trainings that gave the same bits have the same one, although `MLmodel` holds a time.
    """
    entry = manifest.find(data_path)
    if entry is not None:
        return entry.sha256
    part = manifest.below(data_path) if data_path else Manifest(())
    return hashlib.sha256((part if part.entries else manifest).content).hexdigest()


def _small(store: BlobStore, manifest: Manifest, path: str, limit: int, *, required: bool = False) -> bytes:
    entry = manifest.find(path)
    if entry is None and required:
        raise ValidationFailed(
            f"There is no file {path}, so this is no MLflow model.",
            remedy="Log the model with one of mlflow's log_model functions, then register it.",
        )
    return store.read(entry.sha256) if entry is not None and entry.size <= limit else b""


def _example(store: BlobStore, manifest: Manifest, described: Described) -> dict[str, Any] | None:
    """The first row of the input example as `{column: value}`, for the form that tries an endpoint. One nameless tensor
    is the column `""`."""
    content = _small(store, manifest, described.example_path, MAX_EXAMPLE) if described.example_path else b""
    try:
        # What is not a number in Python's JSON is nothing in everybody else's.
        document = json.loads(content, parse_constant=lambda _: None) if content else None
    except (ValueError, RecursionError):
        return None
    if not is_plain(document):
        return None
    columns = served_signature(described.signature)
    if columns and any(column["type"] == "tensor" for column in columns["inputs"]):
        tensors = {"": document} if isinstance(document, list) else document
        if not isinstance(tensors, dict) or not all(isinstance(rows, list) and rows for rows in tensors.values()):
            return None
        return {str(name): rows[0] for name, rows in tensors.items()}
    if not isinstance(document, dict):
        return None
    names, rows = document.get("columns"), document.get("data")
    if isinstance(names, list) and isinstance(rows, list) and rows and isinstance(rows[0], list):
        return {str(name): value for name, value in zip(names, rows[0], strict=False)}
    return None
