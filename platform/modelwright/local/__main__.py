"""`python -m modelwright.local`: what the launcher calls once everything is installed."""

import argparse
import os
import sys
from pathlib import Path

from modelwright.local import checks, going_back, hosting, joining, manage, up, verifying
from modelwright.local.backups import commands as backups
from modelwright.local.backups import embedded
from modelwright.local.demo import main as demo
from modelwright.local.host_file import NoHost
from modelwright.local.installation import BadEnvironment, Installation, Reach, from_environment
from modelwright.local.joining import JoinFailed
from modelwright.local.layout import Layout
from modelwright.local.manage import NoInstallation
from modelwright.local.ports import PortTaken, choose, is_free
from modelwright.local.progress import Progress
from modelwright.local.state import AlreadyRunning
from modelwright.local.supervisor import StartFailed

PROBLEMS = (AlreadyRunning, PortTaken, BadEnvironment, StartFailed, NoHost, NoInstallation, JoinFailed)


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Returns the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        return run(words)
    except PROBLEMS as problem:
        print(problem, file=sys.stderr)
        return 1


def run(words: list[str]) -> int:
    """Run a command. Raises one of `PROBLEMS`, whose text is all that a person needs."""
    # These hand their arguments on, options included, which argparse cannot.
    if words[:1] == ["verify-receipt"]:
        return verifying.main(words[1:])
    if words[:1] == ["rollback"]:
        return going_back.main(words[1:])
    if words[:1] == ["test"]:
        return checks.main(words[1:])
    if words[:1] == ["manage"]:
        return manage.main(words[1:])
    options = parser().parse_args(words)
    if options.command in ("join", "host"):
        return host(options)
    if options.command in ("backup", "restore"):
        return backups.told(lambda: backup_or_restore(options))
    installation = from_options(options)
    if options.command == "demo":
        return demo.run(installation, Progress.from_environment(), leave=options.exit)
    return up.up(installation, Progress.from_environment())


def host(options: argparse.Namespace) -> int:
    """Join if that is what is asked, then run the host."""
    layout = layout_of(options)
    if options.command == "join":
        names = ("token", "name", "backend", "address", "bridge_port", "shelf", "registry", "tls_cert", "tls_key")
        asked = {name: getattr(options, name) for name in names}
        joined = joining.join(layout, options.platform, **asked)
        print(f"Joined {joined.web_url} as the host {joined.name}.", flush=True)
        if options.only:
            return 0
    return hosting.run(layout, Progress.from_environment())


def backup_or_restore(options: argparse.Namespace) -> None:
    """Raises one of `backups.PROBLEMS`."""
    layout = layout_of(options)
    if options.command == "backup":
        embedded.backup(layout, options.folder)
    else:
        embedded.restore(layout, options.manifest, only_check=options.check)


def parser() -> argparse.ArgumentParser:
    """The options of every command but `test`, `manage`, `rollback` and `verify-receipt`."""
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument("--data-dir", type=Path, help="where everything is kept (default: .modelwright in the clone)")
    shared = argparse.ArgumentParser(add_help=False, parents=[place])
    shared.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    shared.add_argument("--web-port", type=int, help="port of the pages (default: the first free one from 8000)")
    shared.add_argument("--gateway-port", type=int, help="port of the models (default: the first free one from 8001)")
    shared.add_argument("--sessions-port", type=int, help="port of sessions (default: the first free one from 8002)")
    shared.add_argument(
        "--backend",
        metavar="{process,docker}",
        default=os.environ.get("MODELWRIGHT_BACKEND") or "process",
        help="what runs and models are: processes of this machine, or containers (default: %(default)s)",
    )
    top = argparse.ArgumentParser(prog="modelwright")
    commands = top.add_subparsers(dest="command", required=True)
    start = commands.add_parser("up", parents=[shared], help="start the platform; Ctrl-C stops it")
    start.add_argument(
        "--hosts-address", help="address of this machine where hosts that join reach PostgreSQL, Redis and the pages"
    )
    start.add_argument("--hosts-database-port", type=int, default=5432, help="of PostgreSQL there (%(default)s)")
    start.add_argument("--hosts-redis-port", type=int, default=6379, help="of Redis there (default: %(default)s)")
    demonstration = commands.add_parser("demo", parents=[shared], help="start the platform and do the main job on it")
    demonstration.add_argument("--exit", action="store_true", help="stop at the end instead of staying up")
    entry = commands.add_parser("join", parents=[place], help="make this machine a host of a platform, and run it")
    entry.add_argument("platform", help="the platform's address, as its hosts page shows it")
    entry.add_argument("--token", required=True, help="from the hosts page; good for one machine, for one hour")
    entry.add_argument("--name", default="", help="the host's name there (default: this machine's)")
    kinds = ["process", "docker", "swarm"]
    entry.add_argument("--backend", choices=kinds, default="process", help="what runs and models are; swarm: models")
    entry.add_argument("--address", default="", help="where other machines reach this one (default: found out)")
    entry.add_argument("--bridge-port", type=int, default=8100, help="where models of this host answer (%(default)s)")
    entry.add_argument(
        "--shelf", default="", help="swarm: HOST:PORT where its machines fetch files (default: port 8090)"
    )
    entry.add_argument("--registry", default="", help="swarm: where images of environments are pushed to")
    entry.add_argument("--tls-cert", type=Path, help="certificate chain: the platform reaches this machine encrypted")
    entry.add_argument("--tls-key", type=Path, help="its private key")
    entry.add_argument("--only", action="store_true", help="join and do not run the host yet")
    commands.add_parser("host", parents=[place], help="run the host that this machine has become")
    keep = commands.add_parser("backup", parents=[place], help="back up everything, also while the platform runs")
    keep.add_argument("folder", type=Path, help="where backups are kept, each file once; made where it is missing")
    back = commands.add_parser("restore", parents=[place], help="put a backup into an empty data directory")
    back.add_argument("manifest", type=Path, help="the .json file that a backup made")
    back.add_argument("--check", action="store_true", help="read all of the backup, say what would be done, do nothing")
    return top


def layout_of(options: argparse.Namespace) -> Layout:
    """The data directory that is named, or the usual one."""
    return Layout(options.data_dir.absolute()) if options.data_dir else Layout.from_environment()


def from_options(options: argparse.Namespace) -> Installation:
    """The installation that the options and the environment describe. Raises `PortTaken` or `BadEnvironment`."""
    check_backend(options.backend)
    layout = layout_of(options)
    web = choose(options.host, options.web_port, 8000, option="--web-port")
    gateway = choose(options.host, options.gateway_port, 8001, option="--gateway-port", taken=frozenset({web}))
    taken = frozenset({web, gateway})
    sessions = choose(options.host, options.sessions_port, 8002, option="--sessions-port", taken=taken)
    return from_environment(layout, options.host, web, gateway, options.backend, reach(options), sessions)


def check_backend(name: str) -> None:
    """Raises `BadEnvironment` for what the platform's own machine cannot run workloads as."""
    if name == "swarm":
        raise BadEnvironment(
            "A swarm joins the platform as a host of its own, also on the platform's machine, so that jobs have one "
            "besides. Start the platform with `./modelwright up --hosts-address <address of this machine>`; choose "
            "Hosts, Add a host on its pages; and give the command that it shows on a manager of the swarm, which may "
            "be this machine, with `--backend swarm --data-dir <another folder>`. docs/swarm.md tells the rest."
        )
    if name not in ("process", "docker"):
        raise BadEnvironment(
            f"There is no backend {name!r}. Choose process or docker, by --backend or by MODELWRIGHT_BACKEND."
        )


def reach(options: argparse.Namespace) -> Reach | None:
    """Where hosts reach the platform. The ports stay as they are, since hosts remember them. Raises `PortTaken`."""
    address = getattr(options, "hosts_address", None)
    if not address:
        return None
    if not is_free(address, 0):
        raise PortTaken(f"{address} is no address of this machine. Give one that the hosts reach it at.")
    ports = {"--hosts-database-port": options.hosts_database_port, "--hosts-redis-port": options.hosts_redis_port}
    for option, port in ports.items():
        if not is_free(address, port):
            raise PortTaken(f"Port {port} on {address} is in use. Stop what uses it, or name another with {option}.")
    return Reach(address, *ports.values())


if __name__ == "__main__":
    sys.exit(main())
