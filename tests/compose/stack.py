"""`docker compose` with the repository's file, under a name, on ports and with a data folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import Any

from modelwright.local.demo.client import Client, sign_in
from tests import engine
from tests.e2e.stack import ROOT, free_port, own_environment

SECRETS = (
    *("postgres-password", "database-password", "mlflow-database-password"),
    *("redis-password", "secret-key", "admin-password", "metrics-token", "sessions-key"),
)
# The installation's only accounts that a container may have: its own, PostgreSQL's and Redis's.
USERS = {"10001:10001", "10001", "postgres", "redis"}


def missing() -> str:
    """Why the platform cannot run in containers here, empty when it can."""
    if os.geteuid() != 0:
        return "the data folder must get the containers' owner, which takes root"
    installer, images = engine.SCRIPTS / "install-docker-extras.sh", engine.SCRIPTS / "make-base-images.py"
    if os.environ.get("MODELWRIGHT_TEST_ENGINE") == "1":
        for program, *words in ((installer,), (images, "python", "postgres", "redis")):
            if Path(program).exists():
                subprocess.run([str(program), *map(str, words)], check=True, capture_output=True, timeout=600)
    found = subprocess.run(["docker", "compose", "version"], capture_output=True, text=True, check=False)
    return "" if found.returncode == 0 else "`docker compose` is not installed"


class Compose:
    """One installation. `build` and `up` take minutes where nothing is cached."""

    def __init__(self) -> None:
        self.name = f"mwt-{uuid.uuid4().hex[:8]}"
        # Short: it holds sockets, whose paths are bounded.
        self.folder = Path(tempfile.mkdtemp(prefix="mwdc-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.data, self.secrets, self.backups = (self.folder / name for name in ("data", "secrets", "backups"))
        web, gateway, sessions = free_port(), free_port(), free_port()
        self.web_url, self.gateway_url = f"http://127.0.0.1:{web}", f"http://127.0.0.1:{gateway}"
        self.settings = {
            "MODELWRIGHT_DATA": self.data,
            "MODELWRIGHT_SECRETS": self.secrets,
            "MODELWRIGHT_BACKUPS": self.backups,
            "MODELWRIGHT_WEB_URL": self.web_url,
            "MODELWRIGHT_GATEWAY_URL": self.gateway_url,
            "MODELWRIGHT_SESSIONS_URL": f"http://*.localhost:{sessions}",
            "MODELWRIGHT_WEB_PORT": web,
            "MODELWRIGHT_GATEWAY_PORT": gateway,
            "MODELWRIGHT_SESSIONS_PORT": sessions,
            "MODELWRIGHT_ALLOWED_HOSTS": "127.0.0.1,localhost,web",
            "MODELWRIGHT_HOST_NAME": "compose-test",
            "MODELWRIGHT_IMAGE_PREFIX": self.name,
            "MODELWRIGHT_HEALTH_INTERVAL": "4s",
            # Another image, and replicas that are renewed in the middle of what is tested.
            "MODELWRIGHT_COMPILE": "off",
        }
        self.env = self.folder / "env"
        self.env.write_text("".join(f"{name}={value}\n" for name, value in self.settings.items()))

    def prepare(self) -> None:
        """What a person does before the first start."""
        self._call(["sh", "docker/prepare.sh"], 60)

    def compose(self, *words: str, seconds: float = 600) -> str:
        """`docker compose …`; returns what it printed on standard output."""
        return self._call(["docker", "compose", "--env-file", str(self.env), "-p", self.name, *words], seconds)

    def api(self) -> Client:
        """Signed in as the administrator."""
        return sign_in(self.web_url, "admin", (self.secrets / "admin-password").read_text(), self.name)

    def containers(self) -> dict[str, dict[str, Any]]:
        """What the engine tells of each running container of the file, by service."""
        ids = self.compose("ps", "--quiet").split()
        told: list[dict[str, Any]] = json.loads(self._call(["docker", "inspect", *ids], 60))
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in told}

    def workloads(self) -> list[dict[str, Any]]:
        """What the engine tells of the containers of runs and models."""
        words = ["docker", "ps", "--all", "--quiet", "--filter", f"label=modelwright.instance={self.name}"]
        ids = self._call(words, 60).split()
        told: list[dict[str, Any]] = json.loads(self._call(["docker", "inspect", *ids], 60)) if ids else []
        return told

    def passwords(self) -> dict[str, str]:
        """Every secret by its name."""
        return {name: (self.secrets / name).read_text() for name in SECRETS}

    def lose_everything(self) -> None:
        """Containers, databases, the data folder and environments are gone; secrets and backups stay."""
        self.compose("down", "--volumes", "--timeout", "5")
        for told in self.workloads():
            self._call(["docker", "rm", "--force", "--volumes", told["Id"]], 60)
        engine.forget_images(self.name)
        shutil.rmtree(self.data)

    def remove(self) -> None:
        """Leave nothing but the build's layers."""
        self.compose("--profile", "tools", "down", "--volumes", "--timeout", "5", "--remove-orphans")
        engine.clear(self.name)
        images = [f"{self.name}-platform:latest", f"{self.name}-mlflow:latest"]
        subprocess.run(["docker", "image", "rm", *images], capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _call(self, words: list[str], seconds: float) -> str:
        environment = {**own_environment(), "MODELWRIGHT_ENV": str(self.env)}
        done = subprocess.run(
            words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=seconds, check=False
        )
        assert done.returncode == 0, f"{' '.join(words)}:\n{(done.stdout + done.stderr)[-6000:]}\n{self._logs(words)}"
        return done.stdout

    def _logs(self, words: list[str]) -> str:
        """The ends of the containers' logs, where it was their start that failed."""
        if "up" not in words:
            return ""
        command = ["docker", "compose", "--env-file", str(self.env), "-p", self.name, "logs", "--tail", "15"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout[-8000:]
