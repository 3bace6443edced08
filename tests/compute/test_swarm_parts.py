"""The parts of the swarm backend that need no swarm: what tasks mean together, options, files for other machines."""

from __future__ import annotations

import http.client
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelwright.compute.backends.base import BackendError, Cause, Limits, Phase, SourceError, UnavailableError
from modelwright.compute.backends.folders import Folders
from modelwright.compute.backends.keeper import codec
from modelwright.compute.backends.swarm import Shelf, SwarmBackend, SwarmConfig, entry
from modelwright.compute.backends.swarm.options import Made, constraints, service_arguments
from modelwright.compute.backends.swarm.order import LARGEST_ORDER, order_text, pack_inputs
from modelwright.compute.backends.swarm.packs import pack, path_of
from modelwright.compute.backends.swarm.shared import way_to_shelf
from modelwright.compute.backends.swarm.shelf import ShelfServer, grant, revoke
from modelwright.compute.backends.swarm.tasks import Task, ending_of, picture
from modelwright.compute.images.steps import Steps
from tests import engine

from .backends_support import new_key, script, wait_until
from .registry import Registry

NODES: dict[str, Any] = {
    "up": {"Description": {"Hostname": "node1"}, "Status": {"State": "ready"}},
    "dead": {"Description": {"Hostname": "node2"}, "Status": {"State": "down"}},
}


def task(number: int, state: str, wanted: str, node: str = "up", error: str = "", code: int = 0) -> Task:
    status: dict[str, Any] = {"State": state, "Err": error, "Timestamp": f"2026-01-01T00:00:{number:02d}Z"}
    if state in ("running", "complete", "failed"):
        status["ContainerStatus"] = {"ContainerID": "c", "ExitCode": code}
    found = {"ID": f"t{number}", "CreatedAt": f"2026-01-01T00:00:{number:02d}Z", "NodeID": node}
    return Task.of({**found, "DesiredState": wanted, "Status": status}, NODES)


FAILED = task(1, "failed", "shutdown", error="task: non-zero exit (3)", code=3)


def test_a_service_without_tasks_is_starting() -> None:
    seen = picture([], is_kept_alive=True)
    assert (seen.phase, seen.is_over) == (Phase.STARTING, False)


def test_one_running_task_is_enough_while_another_starts() -> None:
    tasks = [task(1, "running", "running"), task(2, "starting", "running")]
    seen = picture(tasks, is_kept_alive=True)
    assert seen.phase is Phase.RUNNING
    assert seen.task is not None
    assert seen.task.id == "t1"


def test_a_failed_task_that_is_followed_by_another_is_not_the_end() -> None:
    seen = picture([FAILED, task(2, "preparing", "running")], is_kept_alive=True)
    assert (seen.phase, seen.is_over, [each.id for each in seen.ended]) == (Phase.STARTING, False, ["t1"])


def test_a_failed_task_that_nothing_follows_is_the_end() -> None:
    seen = picture([FAILED], is_kept_alive=True)
    assert seen.is_over
    assert seen.last is not None
    values = ending_of(seen.last, {"exit_code": 3, "peak_memory_bytes": 5}, None)
    assert (values["cause"], values["exit_code"], values["peak_memory_bytes"]) == ("failed", 3, 5)


def test_a_task_on_a_dead_machine_counts_for_nothing() -> None:
    dead = task(1, "running", "shutdown", "dead")
    moved = picture([dead, task(2, "running", "running")], is_kept_alive=True)
    assert moved.task is not None
    assert moved.task.id == "t2"
    assert moved.ended[0].why() == "Its machine node2 does not answer."
    once = picture([dead], is_kept_alive=False)
    assert once.is_over
    assert once.last is not None
    assert ending_of(once.last, None, None)["cause"] == Cause.LOST


def test_a_task_that_is_being_ended_is_not_the_end_yet() -> None:
    seen = picture([FAILED, task(2, "running", "shutdown")], is_kept_alive=True)
    assert not seen.is_over


@pytest.mark.parametrize(
    ("error", "cause", "told"),
    [
        ("No such image: x:1", Cause.FAILED, "do not have its image"),
        ("assigned node no longer meets constraints", Cause.LOST, "labels or resources were changed"),
        ("invalid mount", Cause.FAILED, "invalid mount"),
    ],
)
def test_why_the_swarm_refused_a_task_is_told_apart(error: str, cause: Cause, told: str) -> None:
    values = ending_of(task(1, "rejected", "shutdown", error=error), None, None)
    assert values["cause"] == cause
    assert told in values["message"]


def test_a_swarm_that_is_not_ready_says_nothing_about_the_workload() -> None:
    errors = ["assigned node no longer meets constraints", "node is missing network attachments, ip addresses may be"]
    assert all(task(1, "rejected", "shutdown", error=error).was_refused_for_now for error in errors)
    assert not task(1, "rejected", "shutdown", error="No such image: x:1").was_refused_for_now
    assert not FAILED.was_refused_for_now


def test_memory_that_ran_out_is_told_from_another_failure() -> None:
    killed = task(1, "failed", "shutdown", error="task: non-zero exit (137)", code=137)
    said = {"signal": 9, "out_of_memory": True}
    assert ending_of(killed, said, 2**30)["cause"] == Cause.OUT_OF_MEMORY
    assert ending_of(killed, {**said, "out_of_memory": False}, 2**30)["cause"] == Cause.FAILED
    assert ending_of(killed, None, 2**30)["cause"] == Cause.LOST


def config(root: Path, **changes: Any) -> SwarmConfig:
    return SwarmConfig(root=root, instance="mwt", **changes)


MADE = Made("id", "name", "network", [], [], "/work")


def template(root: Path, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = service_arguments(config(root), script("pass", **changes), MADE, 1)["task_template"]
    return made


def test_a_task_may_do_little(tmp_path: Path) -> None:
    made = template(tmp_path)
    container = made["ContainerSpec"]
    assert (container["User"], container["ReadOnly"], container["Init"]) == ("10001:10001", True, True)
    assert container["CapabilityDrop"] == ["ALL"]
    assert "Env" not in container
    assert all("size" in json.dumps(mount).lower() for mount in container["Mounts"])
    assert made["Resources"]["Limits"]["Pids"] == 4098


def test_what_is_asked_for_is_reserved(tmp_path: Path) -> None:
    limits = Limits(cpu=1.5, memory_bytes=2**30)
    resources = template(tmp_path, limits=limits, gpus=(0, 1))["Resources"]
    assert resources["Reservations"]["NanoCPUs"] == 1_500_000_000
    assert resources["Reservations"]["MemoryBytes"] == resources["Limits"]["MemoryBytes"] == 2**30
    assert resources["Reservations"]["GenericResources"] == [{"DiscreteResourceSpec": {"Kind": "gpu", "Value": 2}}]
    assert "NanoCPUs" not in resources["Limits"]
    hard = template(tmp_path, limits=Limits(cpu=1.5, cpu_hard=True))["Resources"]
    assert hard["Limits"]["NanoCPUs"] == 1_500_000_000


def test_only_what_lives_long_is_started_again(tmp_path: Path) -> None:
    assert template(tmp_path)["RestartPolicy"] == {"Condition": "none"}
    kept = template(tmp_path, kind="replica")["RestartPolicy"]
    assert (kept["Condition"], kept["MaxAttempts"]) == ("any", 3)


def test_labels_become_constraints_and_nothing_else(tmp_path: Path) -> None:
    assert constraints(script("pass", labels={"zone": "a", "disk": "ssd"})) == [
        "node.labels.disk==ssd",
        "node.labels.zone==a",
    ]
    for labels in ({"x==1 ": "y"}, {"x": ""}, {"x": "a\nb"}):
        with pytest.raises(BackendError, match="cannot be one of a node"):
            constraints(script("pass", labels=labels))


def test_an_image_must_be_allowed(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="not one that this host allows"):
        template(tmp_path, image="evil:1")
    made = config(tmp_path, registry="registry.example.org/ml")
    assert made.image_of("modelwright-environment:abc") == "registry.example.org/ml/modelwright-environment:abc"


@pytest.mark.parametrize("instance", ["", "A", "-a", "a" * 17, "a b"])
def test_a_name_that_no_dns_takes_is_refused(tmp_path: Path, instance: str) -> None:
    with pytest.raises(ValueError, match="cannot begin"):
        SwarmConfig(root=tmp_path, instance=instance)


def test_spec_and_port_pass_the_keeper_unchanged() -> None:
    spec = script("pass", port=9000, labels={"zone": "a"}, kind="replica", gpus=(1,))
    again = codec.spec_from_json(json.loads(json.dumps(codec.spec_to_json(spec))))
    assert (again.port, again.labels, again.kind, list(again.gpus)) == (9000, {"zone": "a"}, "replica", [1])
    for port in (-1, 65536, "9000", True, None):
        with pytest.raises(codec.RefusedError):
            codec.spec_from_json({**codec.spec_to_json(spec), "port": port})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An input of a workload."""
    made = tmp_path / "model"
    (made / "sub").mkdir(parents=True)
    (made / "sub" / "weights").write_text("1 2 3")
    (made / "run").write_text("#!/bin/sh")
    (made / "run").chmod(0o755)
    (made / "link").symlink_to("sub/weights")
    return made


def test_equal_folders_give_equal_packs(tmp_path: Path, folder: Path) -> None:
    first = pack(tmp_path, folder)
    (folder / "run").touch()
    assert pack(tmp_path, folder) == first
    (folder / "run").write_text("#!/bin/bash")
    assert pack(tmp_path, folder).sha256 != first.sha256


def test_only_folders_of_this_host_that_are_of_use_elsewhere_are_packed(tmp_path: Path, folder: Path) -> None:
    root, work = tmp_path / "root", tmp_path / "root" / "work"
    work.mkdir(parents=True)
    allowed = config(root, readable=[folder])
    assert [made.path for made in pack_inputs(allowed, script("pass", readable=[str(folder)]), work)] == [str(folder)]
    for name, told in ((tmp_path, "may not be read"), (folder / "run", "only folders"), (folder / "no", "no folder")):
        with pytest.raises(SourceError, match=told):
            pack_inputs(allowed, script("pass", readable=[str(name)]), work)
    (folder / "pyvenv.cfg").touch()
    with pytest.raises(SourceError, match="as an image"):
        pack_inputs(allowed, script("pass", readable=[str(folder)]), work)


def test_an_order_that_is_too_large_for_a_secret_is_refused() -> None:
    spec = script("pass", environment={"TEXT": "x" * LARGEST_ORDER})
    with pytest.raises(SourceError, match="bytes; a swarm takes"):
        order_text(spec, work="/w", packs=[], shelf="", token="")


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[ShelfServer]:
    (tmp_path / "root").mkdir()
    made = ShelfServer(tmp_path / "root", Shelf("127.0.0.1", 0))
    yield made
    made.close()


def test_the_shelf_hands_out_what_a_workload_was_granted_and_nothing_else(
    tmp_path: Path, folder: Path, shelf: ShelfServer
) -> None:
    root, key, other = tmp_path / "root", new_key(), new_key()
    mine, theirs = pack(root, folder), pack(root, folder / "sub")
    for each in (key, other):
        (root / each.name).mkdir()
    token, stranger = grant(root / key.name, [mine.sha256]), grant(root / other.name, [theirs.sha256])

    def get(path: str, token: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(shelf.address.host, shelf.address.port, timeout=30)
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        return answer.status, answer.read()

    status, body = get(f"/{key.name}/{mine.sha256}", token)
    assert (status, body) == (200, path_of(root, mine.sha256).read_bytes())
    refused = [
        (f"/{key.name}/{mine.sha256}", stranger),
        (f"/{key.name}/{mine.sha256}", ""),
        (f"/{key.name}/{theirs.sha256}", token),
        (f"/{other.name}/{theirs.sha256}", token),
        (f"/{key.name}/../{key.name}/shelf.json", token),
        (f"/{key.name}/{mine.sha256}/..", token),
        ("/", token),
    ]
    assert [get(path, given)[0] for path, given in refused] == [404] * len(refused)
    again = grant(root / key.name, [theirs.sha256])
    assert get(f"/{key.name}/{mine.sha256}", again)[0] == get(f"/{key.name}/{mine.sha256}", token)[0] == 200
    revoke(root / key.name)
    assert get(f"/{key.name}/{mine.sha256}", token)[0] == 404


def test_what_a_task_fetches_is_what_was_packed(tmp_path: Path, folder: Path, shelf: ShelfServer) -> None:
    root, key, target = tmp_path / "root", new_key(), tmp_path / "target"
    made = pack(root, folder)
    (root / key.name).mkdir()
    order = {
        "key": key.name,
        "token": grant(root / key.name, [made.sha256]),
        "shelf": f"127.0.0.1:{shelf.address.port}",
    }
    entry.fetch_once(order, {"path": str(target), "sha256": made.sha256})
    assert (target / "link").read_text() == "1 2 3"
    assert (target / "run").stat().st_mode & 0o100
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w"):
        pass
    path_of(root, made.sha256).write_bytes(text.getvalue())
    with pytest.raises(ValueError, match="not what was sent"):
        entry.fetch_once(order, {"path": str(target), "sha256": made.sha256})
    with pytest.raises(PermissionError, match="404"):
        entry.fetch_once({**order, "token": "no"}, {"path": str(target), "sha256": made.sha256})


def test_an_engine_that_is_away_is_unavailable(tmp_path: Path) -> None:
    backend = SwarmBackend(config(tmp_path, engine=f"unix://{tmp_path}/none.sock"))
    try:
        with pytest.raises(UnavailableError, match="does not answer"):
            backend.start(script("pass"))
        assert backend.list() == []
    finally:
        backend.close()


def test_a_manager_that_stays_away_loses_nothing_and_is_told(tmp_path: Path) -> None:
    key = new_key()
    (tmp_path / key.name).mkdir()
    (tmp_path / key.name / "status.json").write_text('{"phase": "running", "started_at": 1.0}')
    Folders(tmp_path).create()
    Folders(tmp_path).enlist(key)
    backend = SwarmBackend(config(tmp_path, engine=f"unix://{tmp_path}/none.sock", patience_seconds=0))
    try:
        wait_until(lambda: "does not answer" in backend.list()[0].message, what="the note")
        assert backend.list()[0].phase is Phase.RUNNING
    finally:
        backend.close()


def test_files_without_a_shelf_are_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="--shelf HOST:PORT"):
        way_to_shelf(None, config(tmp_path), None)


def test_an_image_is_pushed_to_where_the_machines_pull_from() -> None:
    client, registry = engine.require_engine(), Registry()
    name = f"{engine.INSTANCE}-pushed:1"
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("empty"))
    client.api.import_image_from_data(text.getvalue(), *name.split(":"))
    said: list[str] = []
    try:
        Steps(instance=engine.INSTANCE, registry=registry.name).push(name, said.append)
        assert list(registry.manifests) == [name]
        assert said == [f"Pushed to {registry.name}.\n"]
        registry.close()
        with pytest.raises(BackendError, match="could not be pushed"):
            Steps(instance=engine.INSTANCE, registry=registry.name).push(name, said.append)
    finally:
        for known in (name, f"{registry.name}/{name}"):
            client.images.remove(known, force=True)
