"""What ended workloads leave comes to whoever collects it through the blob store alone."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from modelwright.compute import environment_results, handing_in, placement, selectors, services, transitions, watcher
from modelwright.compute.backends.process import ProcessBackend
from modelwright.compute.layout import socket_path
from modelwright.compute.models import Environment, EnvironmentRequest, Host, LogPiece, Workload
from modelwright.compute.observing import Observed
from modelwright.compute.results import OBSERVED, RESULT, read_result
from modelwright.core.errors import Unavailable
from modelwright.storage.settings import blob_store

from .backends_support import wait_for_end, wait_until
from .support import ACTOR, fresh, make_host, queue
from .test_watcher import key_of

pytestmark = pytest.mark.django_db(transaction=True)
NOTE = (
    "import json, os\n"
    "folder = os.path.join(os.getcwd(), '.modelwright/captured')\n"
    "os.makedirs(folder)\n"
    "def note(kind, name):\n"
    "    with open(folder + '/1.jsonl', 'a') as stream:\n"
    "        stream.write(json.dumps({'kind': kind, 'path': os.path.join(os.getcwd(), name)}) + '\\n')\n"
)


def ended(workload: Workload, host: Host, backend: ProcessBackend) -> Workload:
    """The workload after its end, which the watcher has seen and nobody has handed in."""
    placement.place_and_start(workload.pk, backend)
    wait_for_end(backend, key_of(fresh(workload)))
    watcher.tick(host, backend)
    assert fresh(workload).is_ended
    return fresh(workload)


def archive(**files: str) -> dict[str, str]:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return {"archive": blob_store().put_bytes(stream.getvalue()).sha256}


def test_a_run_hands_in_its_log_and_what_it_read_and_wrote(host: Host, local: ProcessBackend) -> None:
    text = NOTE + (
        "open('out.csv', 'w').write('out'); open('in.csv', 'w').write('in')\n"
        "note('read', 'in.csv'); note('read', 'train_py'); note('write', 'out.csv'); print('done')"
    )
    workload = ended(queue(text, source=archive(train_py="x = 1")), host, local)
    assert not selectors.uncollected("run").exists()
    assert handing_in.tick_others(local) == 0
    assert handing_in.tick_runs(local) == 1
    assert handing_in.tick_runs(local) == 0
    assert [row.pk for row in selectors.uncollected("run")] == [workload.pk]

    # Nothing of the host's disk is needed any more.
    shutil.rmtree(local.folder(key_of(workload)))
    workload = fresh(workload)
    observed = Observed.from_json(read_result(workload, OBSERVED))
    assert [(f.path, f.sha256) for f in observed.read] == [("in.csv", hashlib.sha256(b"in").hexdigest())]
    assert [(f.path, f.size) for f in observed.written] == [("out.csv", 3)]
    assert selectors.read_log(workload) == ("done\n", 5, True)
    assert selectors.log_tail(workload) == "done"


def test_what_postgresql_cannot_hold_of_a_process_is_left_out(host: Host, local: ProcessBackend) -> None:
    text = NOTE + "open(folder + '/1.jsonl', 'w').write(json.dumps({'kind': 'process', 'argv': ['a\\0b', '\\ud800']}))"
    workload = ended(queue(text), host, local)
    handing_in.tick_runs(local)
    assert Observed.from_json(read_result(fresh(workload), OBSERVED)).processes == [{"argv": ["ab", "?"]}]


def test_what_never_started_hands_in_nothing(host: Host, local: ProcessBackend) -> None:
    workload = queue(source={"archive": "f" * 64})
    placement.place_and_start(workload.pk, local)
    assert fresh(workload).state == "failed"
    handing_in.tick_runs(local)
    row = fresh(workload)
    assert (row.handed_in_at is not None, row.log_sha256) == (True, "")
    assert read_result(row, OBSERVED) == {}
    assert selectors.read_log(row) == ("", 0, True)


def test_what_was_cancelled_in_the_queue_is_collected_at_once(host: Host) -> None:
    workload = queue()
    services.request_cancel(workload, acting_user=ACTOR)
    assert [row.pk for row in selectors.uncollected("run")] == [workload.pk]


@pytest.mark.parametrize("state", ["offline", "removed"])
def test_what_ended_on_a_host_that_is_gone_is_collected_with_nothing(host: Host, state: str) -> None:
    away = make_host("away")
    workload = queue()
    Workload.objects.filter(pk=workload.pk).update(host=away, fence=1, state="failed")
    assert not selectors.uncollected("run").exists()
    Host.objects.filter(pk=away.pk).update(state=state)
    assert selectors.uncollected("run").exists()
    assert read_result(fresh(workload), OBSERVED) == {}


def test_a_host_hands_in_only_what_ran_there(host: Host, local: ProcessBackend) -> None:
    away = make_host("away")
    Workload.objects.filter(pk=queue().pk).update(host=away, fence=1, state="failed")
    assert handing_in.tick_runs(local) == 0


def test_what_was_given_up_and_still_runs_is_handed_in_after_its_end(host: Host, local: ProcessBackend) -> None:
    workload = queue("import time; print('begun', flush=True); time.sleep(600)")
    placement.place_and_start(workload.pk, local)
    row = fresh(workload)
    wait_until(lambda: local.log_path(key_of(row)).exists() and local.log_path(key_of(row)).stat().st_size, what="it")
    transitions.end(row.pk, row.fence, cause="lost", facts={})
    assert handing_in.tick_runs(local) == 0
    assert fresh(workload).handed_in_at is None
    watcher.tick(host, local)
    wait_for_end(local, key_of(row))
    assert handing_in.tick_runs(local) == 1


def test_what_was_collected_without_it_counts_no_more_but_its_log_is_kept(host: Host, local: ProcessBackend) -> None:
    workload = ended(queue(NOTE + "open('a', 'w').close(); note('write', 'a'); print('late')"), host, local)
    services.mark_collected(workload)
    watcher.tick(host, local)
    assert not local.work_folder(key_of(workload)).exists()
    assert handing_in.tick_runs(local) == 1
    row = fresh(workload)
    assert row.results_sha256 == ""
    assert blob_store().read(row.log_sha256) == b"late\n"


def test_what_cannot_be_handed_in_is_handed_in_later(host: Host, local: ProcessBackend, settings: Settings) -> None:
    workload = ended(queue("print('kept')"), host, local)
    before, settings.BLOBS = settings.BLOBS, "s3://bucket/prefix?endpoint=http://127.0.0.1:1"
    with pytest.raises(Unavailable):
        handing_in.tick_runs(local)
    settings.BLOBS = before
    assert fresh(workload).handed_in_at is None
    assert handing_in.tick_runs(local) == 1


def test_the_pieces_of_a_log_and_the_folder_of_a_socket_go_when_it_is_handed_in(
    host: Host, local: ProcessBackend, settings: Settings, short_path: Path
) -> None:
    settings.SOCKETS_DIR = short_path
    text = "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1]); print(sys.argv[1])"
    workload = queue(text)
    spec = {**workload.spec, "command": [*workload.spec["command"], "{socket}"]}
    Workload.objects.filter(pk=workload.pk).update(spec=spec)
    workload = ended(workload, host, local)
    path = socket_path(workload.key_name)
    assert (selectors.read_log(workload)[0], path.is_socket()) == (f"{path}\n", True)
    LogPiece.objects.create(workload=workload, fence=workload.fence or 0, start=0, data=b"x")
    handing_in.tick_runs(local)
    assert not path.parent.exists()
    assert not LogPiece.objects.exists()


def test_results_that_the_store_has_lost_hold_up_nobody(host: Host, local: ProcessBackend, data: Path) -> None:
    workload = ended(queue(), host, local)
    handing_in.tick_runs(local)
    shutil.rmtree(data / "blobs")
    assert read_result(fresh(workload), OBSERVED) == {}


def build_that_leaves(result: dict[str, Any] | None, host: Host, backend: ProcessBackend) -> EnvironmentRequest:
    """A request whose build ended and left that, with nothing handed in yet."""
    request = EnvironmentRequest.objects.create(
        requirements_digest="a" * 64, python_version="3.11", kind="requirements.txt", requirements=""
    )
    text = f"open('{RESULT}', 'w').write({json.dumps(result)!r})" if result is not None else "raise SystemExit(1)"
    request.workload = queue(text, kind="environment")
    request.save()
    ended(request.workload, host, backend)
    return request


def test_a_build_is_taken_over_once_it_is_handed_in_and_nobody_asks_twice_before(
    host: Host, local: ProcessBackend
) -> None:
    digest = hashlib.sha256(b"python 3.11\n").hexdigest()
    result = {"ok": True, "lock": "", "digest": digest, "size_bytes": 1, "reason": "Built."}
    request = build_that_leaves(result, host, local)
    waiting = queue(environment_request=request)
    assert environment_results.collect() == 0
    request.refresh_from_db()
    assert request.state == "building"
    assert handing_in.tick_others(local) == 1
    shutil.rmtree(local.work_folder(key_of(fresh(request.workload))))  # type: ignore[arg-type]
    assert environment_results.collect() == 1
    assert environment_results.collect() == 0
    request.refresh_from_db()
    assert (request.state, request.environment) == ("ready", Environment.objects.get())
    assert fresh(waiting).waiting_reason == ""


def test_a_build_that_left_nothing_fails_its_request(host: Host, local: ProcessBackend) -> None:
    request = build_that_leaves(None, host, local)
    handing_in.tick_others(local)
    environment_results.collect()
    request.refresh_from_db()
    assert request.state == "failed"
    assert "exit code 1" in request.error
