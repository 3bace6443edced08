"""What a replica's spec becomes on a host that is a swarm, and where the gateway looks for it then."""

from __future__ import annotations

from pathlib import Path

import pytest
from modelwright_runtime.handshake import replica_token
from pytest_django import Settings

from models.endpoints.addresses import address
from models.endpoints.models import Replica
from modelwright.compute.models import Host
from modelwright.compute.specs import make_spec

from .support import HERE, make_host, queue

COMMAND = ["python3", "-m", "modelwright_runtime.server", "--socket", "{socket}", "--model", "/m"]


@pytest.fixture
def swarm(data: Path, settings: Settings, db: None) -> Host:
    settings.BACKEND = "swarm"
    settings.SECRET_KEY = "installation"
    settings.SOCKETS_DIR = str(data / "sockets")
    host = make_host(HERE)
    host.backend = Host.Backend.SWARM
    host.save()
    return host


def test_a_replica_listens_on_the_network_and_knows_its_own_token_alone(swarm: Host) -> None:
    workload = queue(kind="replica", command=COMMAND)
    workload.host, workload.fence, workload.labels = swarm, 7, {"zone": "a"}
    spec = make_spec(workload)
    assert spec.command[3:] == ["--listen", "0.0.0.0:9000", "--model", "/m"]
    assert (spec.port, spec.labels, list(spec.writable)) == (9000, {"zone": "a"}, [])
    assert spec.environment["MODELWRIGHT_REPLICA_TOKEN"] == replica_token("installation", f"{workload.pk}-7")
    assert "installation" not in "".join(spec.environment.values())
    assert address(Replica(workload=workload)) == f"bridge://{workload.pk}-7:9000/{workload.pk}-7"


def test_what_does_not_listen_gets_no_port_and_no_token(swarm: Host) -> None:
    workload = queue()
    workload.host, workload.fence = swarm, 7
    spec = make_spec(workload)
    assert spec.port == 0
    assert "MODELWRIGHT_REPLICA_TOKEN" not in spec.environment
