"""A row of the platform that becomes a service of a swarm: placed, started through a keeper, stopped, its log kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as present
from pytest_django import Settings

from modelwright.compute import placement, selectors, services
from modelwright.compute.backends.factory import make_backend
from modelwright.compute.models import Host

from .backends_support import wait_until
from .kinds import PYTHON_IN_IMAGE
from .support import ACTOR, fresh, make_host, queue, watch_to_end, watch_until
from .swarm_support import MARKS, OWN_ADDRESS, require_nodes
from .test_swarm import answers

pytestmark = [*MARKS, pytest.mark.django_db(transaction=True)]
TEXT = """
import modelwright_runtime, os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print('drained'), sys.exit(0)))
print('serving', len(os.environ['TOKEN']), flush=True)
while True: time.sleep(0.1)
"""


def test_a_replica_runs_somewhere_in_the_swarm_until_it_is_cancelled(data: Path, settings: Settings) -> None:
    settings.BACKEND = "swarm"
    nodes, instance = require_nodes(), f"mwt-{os.urandom(3).hex()}"
    root, socket = data / "workloads", data / "keeper.sock"
    command = [sys.executable, "-m", "modelwright.compute.backends.keeper", "--backend", "swarm"]
    command += ["--socket", str(socket), "--root", str(root), "--instance", instance, "--engine", nodes.engine(1)]
    command += ["--network", "mwt-contract", "--shelf", f"{OWN_ADDRESS}:0", "--user", "10001:10001"]
    command += ["--readable", str(present.MODELWRIGHT_RUNTIME_SOURCE)]
    keeper = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    backend = make_backend("swarm", root=root, keeper_socket=socket)
    host = make_host()
    Host.objects.filter(pk=host.pk).update(backend=Host.Backend.SWARM)
    try:
        wait_until(lambda: answers(backend), what="the keeper")
        workload = queue(
            kind="replica",
            command=[PYTHON_IN_IMAGE, "-u", "-c", TEXT],
            secret_variables={"TOKEN": "hidden-value"},
            grace_seconds=30,
        )
        placement.place_and_start(workload.pk, backend)
        watch_until(lambda: fresh(workload).state == "running", host, backend)
        watch_until(lambda: "serving 12" in selectors.read_log(fresh(workload))[0], host, backend)
        services.request_cancel(workload, acting_user=ACTOR)
        ended = watch_to_end(workload, host, backend)
        assert (ended.state, ended.detail) == ("cancelled", "Cancelled by tests.")
        assert selectors.read_log(ended)[0] == "serving 12\ndrained\n"
    finally:
        keeper.terminate()
        keeper.wait(60)
        nodes.clear(instance)
