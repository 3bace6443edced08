"""Files of data connections: an S3 store that checks signatures, a web address that wants a token, a directory."""

from __future__ import annotations

import datetime
import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest
from django.test import Client
from modelwright_runtime.scoring import fetching
from modelwright_runtime.scoring.errors import ScoringError

from lineage.models import Edge
from models.batch import services, working
from models.batch.models import BatchJob
from models.batch.sources import Wanted
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute.selectors import log_tail
from modelwright.core.errors import Conflict, PermissionRefused, PlatformError
from modelwright.core.ids import new_id
from modelwright.storage.settings import blob_store
from projects.models import Project
from tests.batch.wine import csv_of
from tests.conftest import MakeUser
from tests.jobs.conftest import give_roles
from tests.models_support import wait_for
from tests.storage.s3_server import S3Server
from workspaces.connection_services import create_data_connection
from workspaces.models import DataConnection

SYSTEM = Actor.system("tests")
Finish = Callable[[BatchJob], BatchJob]
LIMIT = 1024 * 1024


class Shelf(http.server.BaseHTTPRequestHandler):
    """Answers with files, by name, to whoever has the token."""

    files: dict[str, bytes] = {}
    seen: list[tuple[str, str]] = []
    faults: list[int] = []
    port = 0

    def do_GET(self) -> None:
        """One file, or a fault that is due, or the way to another server."""
        self.seen.append((self.path, self.headers.get("Authorization", "")))
        if self.faults:
            self.send_error(self.faults.pop(0))
        elif self.path.startswith("/elsewhere/"):
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.port}/open/{self.path[11:]}")
            self.end_headers()
        elif self.headers.get("Authorization") != "Bearer hush" and not self.path.startswith("/open/"):
            self.send_error(401)
        elif (content := self.files.get(self.path.rpartition("/")[2])) is None:
            self.send_error(404)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server whose files are `Shelf.files`."""
    for name, empty in (("files", {}), ("seen", []), ("faults", [])):
        monkeypatch.setattr(Shelf, name, empty)
    monkeypatch.setattr(fetching, "PAUSE_SECONDS", 0.01)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shelf) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setattr(Shelf, "port", server.server_port)
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(10)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A store that checks who asks."""
    server = S3Server(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def bucket(store: S3Server) -> dict[str, Any]:
    """A connection to a bucket with one file, as a scoring process is given it."""
    name = f"rows-{new_id()}"
    store.client().create_bucket(Bucket=name)
    store.client().put_object(Bucket=name, Key="year/2026 and more/a+b é.csv", Body=b"x\n1\n")
    config = {"bucket": name, "endpoint_url": store.endpoint, "access_key_id": store.keys.access_key}
    return {"kind": "s3", "config": {**config, "prefix": "year/"}, "secret": store.keys.secret_key}


def web(address: str, secret: str = "hush") -> dict[str, Any]:
    return {"kind": "http", "config": {"url": address}, "secret": secret}


def test_an_object_of_a_store_that_checks_signatures_is_fetched(bucket: dict[str, Any], tmp_path: Path) -> None:
    found = fetching.fetch(bucket, "2026 and more/a+b é.csv", tmp_path / "f", LIMIT)
    assert found == (hashlib.sha256(b"x\n1\n").hexdigest(), 4)
    assert (tmp_path / "f").read_bytes() == b"x\n1\n"
    with pytest.raises(ScoringError, match=r"answered 404"):
        fetching.fetch(bucket, "nothing.csv", tmp_path / "f", LIMIT)
    with pytest.raises(ScoringError, match=r"answered 403"):
        fetching.fetch({**bucket, "secret": "wrong"}, "2026 and more/a+b é.csv", tmp_path / "f", LIMIT)


def test_it_is_signed_as_amazons_own_client_does() -> None:
    now = datetime.datetime(2026, 11, 27, 6, 5, 4, tzinfo=datetime.UTC)
    request = botocore.awsrequest.AWSRequest("GET", "https://rows.s3.eu-north-1.amazonaws.com/a%20b.csv")
    request.context["timestamp"] = "20261127T060504Z"
    signer = botocore.auth.S3SigV4Auth(botocore.credentials.Credentials("AKIA", "hush"), "s3", "eu-north-1")
    request.headers["x-amz-content-sha256"] = fetching._EMPTY
    request.headers["x-amz-date"] = "20261127T060504Z"
    text = signer.string_to_sign(request, signer.canonical_request(request))
    ours = fetching.signed("rows.s3.eu-north-1.amazonaws.com", "/a%20b.csv", "eu-north-1", "AKIA", "hush", now)
    assert ours["Authorization"].endswith(f"Signature={signer.signature(text, request)}")


def test_a_web_address_gets_the_token_and_a_redirection_elsewhere_does_not(shelf: str, tmp_path: Path) -> None:
    Shelf.files = {"a%20b.csv": b"x\n1\n"}
    assert fetching.fetch(web(f"{shelf}/data/"), "a b.csv", tmp_path / "f", LIMIT)[1] == 4
    assert fetching.fetch(web(f"{shelf}/elsewhere"), "a b.csv", tmp_path / "f", LIMIT)[1] == 4
    assert Shelf.seen == [
        ("/data/a%20b.csv", "Bearer hush"),
        ("/elsewhere/a%20b.csv", "Bearer hush"),
        ("/open/a%20b.csv", ""),
    ]


def test_what_may_pass_is_tried_again_and_what_may_not_is_told(shelf: str, tmp_path: Path) -> None:
    Shelf.files = {"a.csv": b"x\n1\n", "empty.csv": b""}
    Shelf.faults = [503, 500]
    assert fetching.fetch(web(shelf), "a.csv", tmp_path / "f", LIMIT)[1] == 4
    Shelf.faults = [503] * fetching.ATTEMPTS
    with pytest.raises(ScoringError, match="could not be fetched: it answered 503"):
        fetching.fetch(web(shelf), "a.csv", tmp_path / "f", LIMIT)
    for given, path, limit, said in (
        (web(shelf, "wrong"), "a.csv", LIMIT, "answered 401"),
        (web(shelf), "b.csv", LIMIT, "answered 404"),
        (web(shelf), "empty.csv", LIMIT, "is empty"),
        (web(shelf), "a.csv", 3, "larger than"),
    ):
        with pytest.raises(ScoringError, match=said) as refused:
            fetching.fetch(given, path, tmp_path / "f", limit)
        assert refused.value.remedy


def test_a_directory_gives_its_own_files_alone(tmp_path: Path) -> None:
    root = tmp_path / "shared"
    (root / "year").mkdir(parents=True)
    (root / "year" / "a.csv").write_bytes(b"x\n1\n")
    (tmp_path / "secret.csv").write_bytes(b"x\n2\n")
    (root / "way-out.csv").symlink_to(tmp_path / "secret.csv")
    given = {"kind": "directory", "config": {"path": str(root)}, "secret": ""}
    assert fetching.fetch(given, "year/a.csv", tmp_path / "f", LIMIT)[1] == 4
    for path, said in (
        ("way-out.csv", "no file below"),
        ("../secret.csv", "no file below"),
        ("year", "no file below"),
        ("none.csv", "In containers there is none"),
    ):
        with pytest.raises(ScoringError) as refused:
            fetching.fetch(given, path, tmp_path / "f", LIMIT)
        assert said in refused.value.message + refused.value.remedy


@pytest.fixture
def lake(project: Project, shelf: str) -> DataConnection:
    """A data connection to the server."""
    config = {"url": f"{shelf}/data"}
    return create_data_connection(
        project.workspace, name="lake", kind="http", config=config, secret="hush", acting_user=SYSTEM
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted("file", connection="lake", path="../a.csv"), "is no file of lake"),
        (Wanted("file", connection="lake", path="/a.csv"), "is no file of lake"),
        (Wanted("file", connection="lake"), "is no file of lake"),
        (Wanted("file", connection="lake", path="a.xlsx"), "cannot be told from the name"),
        (Wanted("file", connection="sea", path="a.csv"), "no data connection 'sea'"),
        (Wanted("file", connection="db", path="a.csv"), "has no files"),
    ],
)
def test_what_is_no_file_of_a_connection_is_refused(
    start: Any, project: Project, lake: DataConnection, wanted: Wanted, said: str
) -> None:
    config = {"host": "db", "database": "d", "username": "u"}
    create_data_connection(project.workspace, name="db", kind="postgresql", config=config, acting_user=SYSTEM)
    with pytest.raises(PlatformError) as refused:
        start(source=wanted)
    assert said in refused.value.message
    assert refused.value.remedy


@pytest.mark.django_db
def test_it_takes_what_a_script_takes_and_the_secret_stands_nowhere(
    start: Any, project: Project, version: Any, lake: DataConnection, make_user: MakeUser
) -> None:
    make_user("olga")
    give_roles(project, olga="operator")
    wanted = Wanted("file", connection="lake", path="a.csv")
    with pytest.raises(PermissionRefused):
        services.start(
            project,
            services.BatchRequest(version, wanted),
            acting_user=Actor.person(User.objects.get(username="olga")),
        )
    with pytest.raises(PlatformError, match="only where the input is a table"):
        start(source=wanted, output_table="t")
    job = start(source=wanted)
    assert "hush" not in str(job.workload.spec)
    working.begin(job)
    working.note_file(job, sha256="a" * 64, size=4)
    working.note_file(job, sha256="a" * 64, size=4)
    with pytest.raises(Conflict, match="not the one with which the job began"):
        working.note_file(job, sha256="b" * 64, size=4)


@pytest.mark.django_db
def test_the_form_offers_connections_with_files(
    project: Project, version: Any, lake: DataConnection, ann: User, browser_client: Callable[[User], Client]
) -> None:
    client, address = browser_client(ann), f"/projects/{project.pk}/batch-jobs/new/?source=file"
    page = client.get(address).content.decode()
    assert "lake: Web address" in page
    usual = {"model_version": version.pk, "output_format": "csv", "on_error": "record", "chunk_rows": 10}
    answer = client.post(address, {**usual, "connection": "lake", "path": "2026/a.csv"}, follow=True)
    assert "2026/a.csv of lake" in answer.content.decode()
    assert BatchJob.objects.get().source_name == "lake: 2026/a.csv"
    lake.delete()
    assert "No connection with files" in client.get(address).content.decode()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["s3", "http", "directory"])
def test_a_file_of_each_kind_is_scored(
    kind: str, start: Any, finish: Finish, project: Project, store: S3Server, shelf: str, tmp_path: Path
) -> None:
    content, secret = csv_of(300).encode(), "hush"
    config: dict[str, str] = {"url": f"{shelf}/data"}
    if kind == "s3":
        name = f"rows-{new_id()}"
        store.client().create_bucket(Bucket=name)
        store.client().put_object(Bucket=name, Key="in/wine.csv", Body=content)
        config = {"bucket": name, "endpoint_url": store.endpoint, "access_key_id": store.keys.access_key}
        config["prefix"], secret = "in/", store.keys.secret_key
    elif kind == "directory":
        (tmp_path / "wine.csv").write_bytes(content)
        config, secret = {"path": str(tmp_path)}, ""
    else:
        Shelf.files = {"wine.csv": content}
    create_data_connection(project.workspace, name="lake", kind=kind, config=config, secret=secret, acting_user=SYSTEM)
    job = finish(start(source=Wanted("file", connection="lake", path="wine.csv"), key_columns=["id"], chunk_rows=100))
    assert job.state == "succeeded", (job.detail, log_tail(job.workload))
    assert (job.rows_done, job.rows_failed, job.chunks_done) == (300, 0, 3)
    assert (job.source["sha256"], job.source["size"]) == (hashlib.sha256(content).hexdigest(), len(content))
    assert len(blob_store().read(job.output_sha256).decode().splitlines()) == 301
    (read,) = Edge.objects.filter(kind="read").select_related("src")
    assert (read.src.kind, read.src.name) == ("dataset", "wine.csv")
    assert read.src.version_digest == job.source["sha256"]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.django_db(transaction=True)
def test_a_job_whose_file_was_changed_meanwhile_does_not_go_on(
    start: Any, finish: Finish, turn: Callable[[], None], lake: DataConnection, ann: User
) -> None:
    Shelf.files = {"wine.csv": csv_of(20, bad={15: "15,much,2.0,500,light,north"}).encode()}
    wanted = Wanted("file", connection="lake", path="wine.csv")
    job = finish(start(source=wanted, chunk_rows=10, on_error="stop"))
    assert (job.state, job.rows_done) == ("failed", 10), job.detail
    Shelf.files = {"wine.csv": csv_of(20).encode()}

    def has_ended() -> bool:
        turn()
        job.workload.refresh_from_db()
        return bool(job.workload.is_ended)

    # The process says why it ends before it does.
    wait_for(has_ended)
    finish(services.retry(job, acting_user=Actor.person(ann)))
    assert (job.state, job.rows_done) == ("failed", 10)
    assert "not the one with which the job began" in job.detail
    assert "Start a new job" in job.remedy
