"""One running platform: `./modelwright demo` in a folder of its own, and what tests ask of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil
import requests

from tests.ports import free_port as free_port

ROOT = Path(__file__).resolve().parents[2]
DEMO_END = "Ctrl-C stops everything"
DEMO_SECONDS = 900.0
Found = TypeVar("Found")


def wait_for(
    what: str, look: Callable[[], Found | None], seconds: float = 120.0, instead: Callable[[], str] = str
) -> Found:
    """Call `look` until it returns something true. Raises AssertionError: what never came, and what was `instead`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {seconds:.0f} s. {instead()}")


class Stack:
    """A platform on free ports with its own data directory, after the demo did the main job on it or just `up`.

    What its command prints goes into the file `printed`. A platform that runs on the directory already is taken over.
    `options` and `environment` are for every start of it.
    """

    def __init__(self, folder: Path, command: str = "demo", *options: str, **environment: str) -> None:
        self.directory = folder / "d"
        self.options = options
        # Compiling takes processors and renews replicas in the middle of what is tested; who tests it switches it on.
        self.environment = {"MODELWRIGHT_COMPILE": "off"} | environment
        self.printed = folder / "printed.txt"
        self.process: subprocess.Popen[bytes] | None = None
        if self.running() is None:
            self.ports = [free_port(), free_port(), free_port()]
            self.printed.write_text("")
            self.start(command)
        else:
            self.ports = [int(url.rpartition(":")[2]) for url in (self.web_url, self.gateway_url, self.sessions_url)]

    def start(self, command: str) -> None:
        """Run `./modelwright demo` or `./modelwright up`, on the same ports each time."""
        web, gateway, sessions = (str(port) for port in self.ports)
        places = ["--data-dir", str(self.directory), "--web-port", web, "--gateway-port", gateway]
        places += ["--sessions-port", sessions]
        with self.printed.open("ab") as printed:
            self.process = subprocess.Popen(
                [str(ROOT / "modelwright"), command, *places, *self.options],
                cwd=self.directory.parent,
                env=own_environment() | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def running(self) -> psutil.Process | None:
        """The process that supervises the platform on the directory, None where there is none."""
        lock = self.directory / "up.lock"
        try:
            process = psutil.Process(int(lock.read_text()))
            return process if str(self.directory) in process.cmdline() else None
        except (OSError, ValueError, psutil.Error):
            return None

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self.printed.read_text(errors="replace")

    def wait_for_demo(self) -> None:
        """Wait until the demo has printed its end. Raises AssertionError with what it printed otherwise."""
        self.wait_for_line(DEMO_END, 0, DEMO_SECONDS)

    def wait_for_line(self, text: str, after: int, seconds: float) -> None:
        """Wait until it prints `text`, beyond the first `after` characters."""
        deadline = time.monotonic() + seconds
        while text not in (output := self.output)[after:]:
            if (self.process and self.process.poll() is not None) or time.monotonic() > deadline:
                raise AssertionError(f"it never printed {text!r}:\n{output[-6000:]}\n{self.log_tails()}")
            time.sleep(0.2)

    @property
    def platform(self) -> dict[str, Any]:
        """`platform.json`, read anew: a restarted process has a new id in it."""
        content: dict[str, Any] = json.loads((self.directory / "platform.json").read_text())
        return content

    @property
    def web_url(self) -> str:
        """Where the pages are."""
        return str(self.platform["web_url"])

    @property
    def gateway_url(self) -> str:
        """Where the models answer."""
        return str(self.platform["gateway_url"])

    @property
    def sessions_url(self) -> str:
        """Where sessions and applications are, each below a name of its own."""
        return str(self.platform["sessions_url"])

    @property
    def password(self) -> str:
        """The administrator's password."""
        return Path(self.platform["admin"]["password_file"]).read_text().strip()

    def kill(self, name: str) -> psutil.Process:
        """`kill -9` the process called `name` with all its children, and return it."""
        process = psutil.Process(self.platform["processes"][name]["pid"])
        family = [process, *process.children(recursive=True)]
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=20)
        return process

    def wait_for_restart(self, name: str, before: psutil.Process) -> None:
        """Wait until the supervisor runs `name` again."""

        def restarted() -> bool:
            entry = self.platform["processes"].get(name)
            return entry is not None and entry["pid"] != before.pid and psutil.pid_exists(entry["pid"])

        wait_for(f"{name} running again", restarted)

    def log_tails(self, characters: int = 1500) -> str:
        """The end of every process's log, for a failure's message."""
        parts = [
            f"--- {path.name}\n{path.read_text(errors='replace')[-characters:]}"
            for path in sorted((self.directory / "logs").glob("*.log"))
        ]
        return "\n".join(parts)

    def stop(self) -> None:
        """Ctrl-C, and wait until the command has ended; kill it when it does not."""
        process = self.running() if self.process is None else self.process
        if process is None:
            return
        try:
            process.send_signal(signal.SIGINT)
            process.wait(60)
        except psutil.NoSuchProcess:
            pass
        except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
            process.kill()
            process.wait(10)

    def processes(self) -> dict[int, str]:
        """Every process that has to do with the directory, by its command line, environment or working folder."""
        found = {}
        for process in psutil.process_iter():
            try:
                line = process.cmdline()
                signs = [*line, *process.environ().values(), process.cwd()]
            except psutil.Error:
                continue
            if process.pid != os.getpid() and any(str(self.directory) in sign for sign in signs):
                found[process.pid] = " ".join(line)[:200]
        return found


def own_environment() -> dict[str, str]:
    """The test's environment without what its own database and broker are called."""
    ours = re.compile(r"^(DATABASE_URL|REDIS_URL|MLFLOW_|MODELWRIGHT_|DJANGO_|PYTEST_|PYTHONPATH)")
    return {name: value for name, value in os.environ.items() if not ours.match(name)}


class Rest:
    """The REST API with a person's token. Every call raises AssertionError with the problem it got."""

    def __init__(self, web_url: str, token: str) -> None:
        self.web_url = web_url
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Call `/api/v1/<path>` and return the decoded answer."""
        response = self.session.request(method, f"{self.web_url}/api/v1/{path}", json=body, headers=headers, timeout=60)
        assert response.ok, f"{method} {path}: {response.status_code} {response.text[:2000]}"
        return response.json() if response.content else None

    def get(self, path: str) -> Any:
        """GET."""
        return self.call("GET", path)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """POST."""
        return self.call("POST", path, {} if body is None else body, **headers)


def person_token(stack: Stack) -> str:
    """Sign in on the login page as the administrator and make an API token, as a person would."""
    session = requests.Session()
    page = session.get(f"{stack.web_url}/login/", timeout=60)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token, page.text[:2000]
    form = {"username": "admin", "password": stack.password, "csrfmiddlewaretoken": token.group(1)}
    answer = session.post(f"{stack.web_url}/login/", data=form, headers={"Referer": stack.web_url}, timeout=60)
    assert answer.ok
    page = session.get(f"{stack.web_url}/", timeout=60)
    csrf = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert csrf, page.text[:2000]
    made = session.post(
        f"{stack.web_url}/api/v1/tokens/",
        json={"name": "e2e"},
        headers={"X-CSRFToken": csrf.group(1), "Referer": stack.web_url},
        timeout=60,
    )
    assert made.status_code == 201, made.text
    return str(made.json()["token"])
