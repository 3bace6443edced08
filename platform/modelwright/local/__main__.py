"""`python -m modelwright.local`: what the launcher calls once everything is installed."""

import argparse
import os
import sys
from pathlib import Path

from modelwright.local import checks, manage, up
from modelwright.local.demo import main as demo
from modelwright.local.installation import BadEnvironment, Installation, from_environment
from modelwright.local.layout import Layout
from modelwright.local.ports import PortTaken, choose
from modelwright.local.progress import Progress
from modelwright.local.state import AlreadyRunning
from modelwright.local.supervisor import StartFailed

PROBLEMS = (AlreadyRunning, PortTaken, BadEnvironment, StartFailed)


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
    # These two hand their arguments on, options included, which argparse cannot.
    if words[:1] == ["test"]:
        return checks.main(words[1:])
    if words[:1] == ["manage"]:
        return manage.main(words[1:])
    options = parser().parse_args(words)
    installation = from_options(options)
    if options.command == "demo":
        return demo.run(installation, Progress.from_environment(), leave=options.exit)
    return up.up(installation, Progress.from_environment())


def parser() -> argparse.ArgumentParser:
    """The options of `up` and `demo`."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--data-dir", type=Path, help="where everything is kept (default: .modelwright in the clone)")
    shared.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    shared.add_argument("--web-port", type=int, help="port of the pages (default: the first free one from 8000)")
    shared.add_argument("--gateway-port", type=int, help="port of the models (default: the first free one from 8001)")
    shared.add_argument(
        "--backend",
        choices=["process", "docker"],
        default=os.environ.get("MODELWRIGHT_BACKEND") or "process",
        help="what runs and models are: processes of this machine, or containers (default: %(default)s)",
    )
    top = argparse.ArgumentParser(prog="modelwright")
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("up", parents=[shared], help="start the platform; Ctrl-C stops it")
    demonstration = commands.add_parser("demo", parents=[shared], help="start the platform and do the main job on it")
    demonstration.add_argument("--exit", action="store_true", help="stop at the end instead of staying up")
    return top


def from_options(options: argparse.Namespace) -> Installation:
    """The installation that the options and the environment describe. Raises `PortTaken` or `BadEnvironment`."""
    layout = Layout(options.data_dir.absolute()) if options.data_dir else Layout.from_environment()
    web = choose(options.host, options.web_port, 8000, option="--web-port")
    gateway = choose(options.host, options.gateway_port, 8001, option="--gateway-port", taken=frozenset({web}))
    return from_environment(layout, options.host, web, gateway, options.backend)


if __name__ == "__main__":
    sys.exit(main())
