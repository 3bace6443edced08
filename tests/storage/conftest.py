"""Both kinds of store, the second against a real server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelwright.core.ids import new_id
from modelwright.storage.blobs import BlobStore
from modelwright.storage.local import LocalBlobs
from tests.storage.s3_server import S3Server
from tests.storage.swift_server import SwiftServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One server for the tests of a module."""
    server = S3Server(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwiftServer]:
    """A store with disks for all tests."""
    server = SwiftServer(tmp_path_factory.mktemp("swift"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def bucket(server: S3Server) -> str:
    """A bucket of this test's own."""
    name = f"blobs-{new_id()}"
    server.client().create_bucket(Bucket=name)
    return name


@pytest.fixture(params=["folder", "moto", pytest.param("swift", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """An empty store of each kind."""
    if request.param == "folder":
        return LocalBlobs(tmp_path / "blobs")
    server: S3Server = request.getfixturevalue("server" if request.param == "moto" else "swift")
    name = f"blobs-{new_id()}"
    server.client().create_bucket(Bucket=name)
    return server.store(name, tmp_path / "cache")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a model may look like."""
    folder = tmp_path / "model"
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}\n")
    (folder / "data" / "model.pkl").write_bytes(os.urandom(3_000_000))
    (folder / "empty").touch()
    return folder
