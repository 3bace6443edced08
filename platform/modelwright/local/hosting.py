"""`./modelwright host`: the programs of a machine that has joined, started and kept running."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from modelwright.local import host_file, keeper
from modelwright.local.host_file import HostFile, NoHost
from modelwright.local.installation import process_environment, says, size
from modelwright.local.layout import REPOSITORY, Layout
from modelwright.local.leftovers import end_workloads
from modelwright.local.process import Program
from modelwright.local.progress import Progress
from modelwright.local.state import describe_process, end_leftovers, take, write_platform
from modelwright.local.supervisor import StartFailed, Supervisor
from modelwright.local.up import TICK_SECONDS, StopRequest


@dataclass(frozen=True)
class Hosting:
    """A host over its data directory."""

    layout: Layout
    host: HostFile

    def settings(self) -> dict[str, str]:
        """The settings of its processes."""
        layout = self.layout
        credentials = host_file.secret(layout, "blobs_credentials")
        return {
            "DJANGO_SETTINGS_MODULE": "modelwright.settings",
            "MODELWRIGHT_DATA_DIR": str(layout.data),
            "DATABASE_URL": host_file.secret(layout, "database_url").read_text(),
            "REDIS_URL": host_file.secret(layout, "redis_url").read_text(),
            "MODELWRIGHT_BLOBS": self.host.blobs,
            "MODELWRIGHT_BLOBS_CREDENTIALS_FILE": str(credentials) if size(credentials) else "",
            "MODELWRIGHT_SECRET_KEY_FILE": str(layout.secret_key),
            "MODELWRIGHT_SOCKETS_DIR": str(layout.sockets),
            "MODELWRIGHT_WEB_URL": self.host.web_url,
            "MODELWRIGHT_HOST_GATEWAY_URL": self.host.gateway_url,
            "MODELWRIGHT_BACKEND": self.host.backend,
            "MODELWRIGHT_KEEPER_SOCKET": str(layout.sockets / keeper.SOCKET),
            "MODELWRIGHT_HOST_NAME": self.host.name,
            "MODELWRIGHT_HOST_ADDRESS": self.host.address,
            "MODELWRIGHT_BRIDGE_PORT": str(self.host.bridge_port) if self.host.address else "0",
            "MODELWRIGHT_RUNTIME_SOURCE": str(REPOSITORY / "platform" / "runtime"),
        }

    def programs(self) -> list[Program]:
        """Keeper, worker, watcher and bridge, in the order in which they need each other. A swarm has an entrance."""
        environment = process_environment(self.settings())
        containers = []
        if self.host.backend == "docker":
            containers = [keeper.program(self.layout, environment, self._platform())]
        if self.host.backend == "swarm":
            options = keeper.swarm_options(self.layout, environment, self.host)
            containers = [keeper.program_of(self.layout, environment, options)]
        kept = tuple(program.name for program in containers)
        worker = [
            *("-m", "celery", "-A", "modelwright", "worker", "--concurrency", "2", "--prefetch-multiplier", "1"),
            *("--loglevel", "INFO", "--without-gossip"),
            *("--without-mingle", "--hostname", f"worker@{self.host.name}"),
        ]
        return [
            *containers,
            self._program("worker", "Worker (Celery)", worker, " ready.", environment, kept),
            self._program("watcher", "Watcher (runs)", ["manage.py", "watch", "--host"], "watching", environment, kept),
            *([self._bridge(environment)] if self.host.address and self.host.backend != "swarm" else []),
        ]

    def _platform(self) -> list[str]:
        """What containers reach of the platform: pages and tracking, and where endpoints are asked."""
        return [url for url in (self.host.web_url, self.host.gateway_url) if url]

    def _bridge(self, environment: Mapping[str, str]) -> Program:
        address = f"[{self.host.address}]" if ":" in self.host.address else self.host.address
        words = [
            *("-m", "models.gateway.bridge", "--listen", f"{address}:{self.host.bridge_port}"),
            *("--sockets", str(self.layout.sockets), "--secret-file", str(self.layout.secret_key)),
        ]
        if self.host.tls_cert:
            words += ["--tls-cert", self.host.tls_cert, "--tls-key", self.host.tls_key]
        return self._program("bridge", "Bridge (models for the gateway)", words, "listening on", environment, ())

    def _program(
        self,
        name: str,
        title: str,
        words: list[str],
        said: str,
        environment: Mapping[str, str],
        after: tuple[str, ...],
    ) -> Program:
        log = self.layout.logs / f"{name}.log"
        return Program(
            name=name,
            title=title,
            argv=[sys.executable, *words],
            env=environment,
            cwd=REPOSITORY,
            ready=partial(says, log, said.encode(), size(log)),
            after=after,
        )


def run(layout: Layout, progress: Progress) -> int:
    """Run the host until Ctrl-C, or until it is removed. Returns the exit code. Raises NoHost, AlreadyRunning."""
    host = host_file.read(layout)
    check_present(layout, host)
    stop = StopRequest()
    stop.listen()
    removed = host_file.removed_mark(layout)
    try:
        with running(Hosting(layout, host), progress, stop) as supervisor:
            if not stop():
                progress.note(f"\nThis machine is the host {host.name} of {host.web_url}. Ctrl-C stops it.\n")
            while not stop() and not removed.exists():
                if supervisor.tick():
                    publish(layout, host, supervisor)
                time.sleep(TICK_SECONDS)
    except StartFailed as error:
        print(f"\nThe host could not start: {error}", file=sys.stderr)
        return 1
    check_present(layout, host)
    return 0


def check_present(layout: Layout, host: HostFile) -> None:
    """Raise NoHost when it was removed."""
    if host_file.removed_mark(layout).exists():
        raise NoHost(
            f"The host {host.name} was removed from {host.web_url}. To use this machine again, have an administrator "
            "add a host there, and give the command that the page shows."
        )


@contextmanager
def running(hosting: Hosting, progress: Progress, stop: Callable[[], bool]) -> Iterator[Supervisor]:
    """The running host; leaving the block stops it and what runs here. Raises AlreadyRunning, StartFailed."""
    layout = hosting.layout
    layout.create()
    hold = take(layout)
    try:
        for name in end_leftovers(layout):
            progress.note(f"Ended {name}, left running by a host that was killed")
        programs = hosting.programs()
        progress.expect(len(programs))
        supervisor = Supervisor(programs, layout.logs, progress.step, progress.waiting)
        try:
            supervisor.start_all(stop)
            supervisor.report = progress.note
            publish(layout, hosting.host, supervisor)
            yield supervisor
        finally:
            progress.note("\nStopping …")
            supervisor.stop_all()
            end_workloads(keeper.backend(layout, hosting.host.backend))
    finally:
        hold.release()


def publish(layout: Layout, host: HostFile, supervisor: Supervisor) -> None:
    """Write `platform.json`: which platform's host this is and which processes it consists of."""
    alive = {name: child for name, child in supervisor.children.items() if child.exit_code() is None}
    processes = {name: describe_process(child.pid) for name, child in alive.items()}
    write_platform(layout, {"host": host.name, "web_url": host.web_url, "processes": processes})
