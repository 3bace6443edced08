"""An application in a container of a host that joined asks an endpoint of the platform. Nobody has opened a way for it.

The host is a network namespace with an engine of its own; its containers have no network at all. What the platform's
proxy of applications says to the host's bridge is encrypted, with a certificate that the host was given when it joined.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from modelwright.local.demo.application import set_variable
from modelwright.local.demo.client import Client, sign_in
from tests.certificates import certificate
from tests.compose.journey import Served, serve_iris
from tests.e2e.stack import DEMO_END, Stack, free_port, wait_for
from tests.hosts.engines import Engine
from tests.hosts.namespaces import Network, missing

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.machines, pytest.mark.timeout(1500)]
FAR = "c"
SCRIPT = """
import http.server, json, os, urllib.error, urllib.request

url = os.environ["MODELWRIGHT_GATEWAY_URL"] + os.environ["ENDPOINT_URL"]
headers = {"Authorization": "Bearer " + os.environ["ENDPOINT_KEY"], "Content-Type": "application/json"}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        interfaces = [line.split(":")[0].strip() for line in open("/proc/net/dev") if ":" in line]
        said = {"interfaces": interfaces}
        try:
            asked = urllib.request.Request(url, os.environ["RECORDS"].encode(), headers)
            said["answer"] = json.load(urllib.request.urlopen(asked, timeout=20))
        except OSError as error:
            said["error"] = f"{url}: {error}"
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


class Site:
    """The platform on this machine, and a host with containers on another."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.far = network.machine(
            FAR, folder, MODELWRIGHT_HOST_CPU="2", MODELWRIGHT_HOST_MEMORY_GIB="4", MODELWRIGHT_BLOBS=""
        )
        self.engine = Engine(self.far)
        self.far.environment["DOCKER_HOST"] = self.engine.address
        self.files = certificate(folder, self.far.address)
        own, blobs = f"{network.subnet}.254", str(folder / "files")
        ports = ["--hosts-database-port", str(free_port()), "--hosts-redis-port", str(free_port())]
        self.platform = Stack(
            folder,
            "up",
            *("--hosts-address", own, *ports),
            MODELWRIGHT_BLOBS=blobs,
            MODELWRIGHT_HOSTS_BLOBS=blobs,
            MODELWRIGHT_BRIDGE_CA_FILE=str(self.files[0]),
        )
        self.web = f"http://{own}:{self.platform.ports[0]}"
        self.api: Client

    def start(self) -> None:
        """The platform, then the host."""
        self.platform.wait_for_line(DEMO_END, 0, 300)
        self.api = sign_in(self.platform.web_url, "admin", self.platform.password, "tests")
        token = self.api.post("/api/v1/hosts/tokens/", {})["token"]
        options = ["--token", token, "--name", FAR, "--backend", "docker"]
        cert, key = (str(path) for path in self.files)
        self.far.start("join", self.web, *options, "--tls-cert", cert, "--tls-key", key)
        self.wait("the host", lambda: self.hosts().get(FAR, {}).get("cpu") == 2, 180)
        # Environments with packages are made at home: its engine reaches no index.
        self.set("drain", FAR)

    def hosts(self) -> dict[str, dict[str, Any]]:
        """By name."""
        return {one["name"]: one for one in self.api.get("/api/v1/hosts/")["results"]}

    def set(self, what: str, *names: str) -> None:
        """`drain` or `activate` hosts."""
        for name in names:
            self.api.post(f"/api/v1/hosts/{self.hosts()[name]['id']}/{what}/")

    def wait(self, what: str, look: Any, seconds: float) -> Any:
        """Wait until it is so; a failure shows what both machines have to say."""
        return wait_for(what, look, seconds, lambda: f"{self.far.output}\n{self.platform.log_tails()}")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A running platform that one host has joined."""
    if reason := missing():
        pytest.skip(f"NOT TESTED: applications on a host that joined, because {reason}")
    # Sockets' paths must be short, and PostgreSQL's user must pass.
    folder = Path(tempfile.mkdtemp(prefix="mwa-", dir="/tmp"))
    folder.chmod(0o755)
    network, made = Network(), None
    try:
        made = Site(network, folder)
        made.start()
        yield made
    finally:
        network.close()
        if made is not None:
            made.platform.stop()
            made.engine.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def served(site: Site) -> Served:
    """An endpoint whose replica runs beside the platform; what comes after that goes to the other host."""
    try:
        made = serve_iris(site.api, "asked")
    except Exception as error:
        raise AssertionError(f"{error}\n{site.platform.log_tails()}") from error
    site.set("drain", *(name for name in site.hosts() if name != FAR))
    site.set("activate", FAR)
    return made


def test_an_application_in_a_container_elsewhere_asks_an_endpoint(site: Site, served: Served) -> None:
    api = site.api
    workspace = api.post("/api/v1/workspaces/", {"name": "askers"})
    project = api.post(f"/api/v1/workspaces/{workspace['id']}/projects/", {"name": "view"})
    head = api.get(f"/api/v1/projects/{project['id']}/commits/")["results"][0]["sha"]
    changes = [{"path": "app.py", "content": SCRIPT}, {"path": "requirements.txt", "content": ""}]
    body = {"message": "View", "expected_head": head, "changes": changes}
    api.post(f"/api/v1/projects/{project['id']}/commits/", body)
    path = urlsplit(served.endpoint["url"]).path
    given = {"ENDPOINT_URL": path, "ENDPOINT_KEY": served.key, "RECORDS": json.dumps({"records": served.records})}
    for name, value in given.items():
        set_variable(api, project, name, value, name.endswith("KEY"), "")
    made = api.post(f"/api/v1/projects/{project['id']}/applications/", {"name": "view", "command": "app.py"})
    api.call("PUT", f"/api/v1/applications/{made['id']}/visibility/", {"is_public": True})
    own = f"/api/v1/applications/{made['id']}/"
    site.wait("the application", lambda: api.get(own)["health"] == "running", 300)
    assert site.engine.containers(), "it runs there"

    def shown() -> Any:
        host = urlsplit(made["url"]).netloc
        port = urlsplit(made["url"]).port
        answer = requests.get(f"http://127.0.0.1:{port}/", headers={"Host": host}, timeout=60)
        return answer.json() if answer.ok else None

    said = site.wait("its page", shown, 60)
    assert said["interfaces"] == ["lo"], "it has no network"
    assert "error" not in said, said
    assert [said["answer"]["version"], len(said["answer"]["predictions"])] == [1, 2]
    assert said["answer"]["predictions"] == [each["predictions"][0] for each in served.ask()]
