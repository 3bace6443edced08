"""`python -m modelwright_runtime.session`: one session, from its start to its end."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

from modelwright_runtime.session import commands, lab, overlay
from modelwright_runtime.session.agent import Agent
from modelwright_runtime.session.git import GitError, credentials
from modelwright_runtime.session.orders import Orders, read_orders
from modelwright_runtime.session.tree import Tree

LOOK_SECONDS = 0.03
# What Lab may take to end its kernels, before what it left is saved for the last time.
LAB_ENDS_SECONDS = 5.0


def main() -> int:
    """Start Lab and fetch the tree at once; then save until somebody ends it, or Lab ends. The exit code is Lab's."""
    orders = read_orders()
    if lacking := _lacking():
        print(
            f"No session can run here, as there is no {lacking}. Name an image that has it, or leave the image out.",
            file=sys.stderr,
            flush=True,
        )
        return 1
    os.environ.update(credentials(orders.url, orders.token))
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    orders.private.mkdir(parents=True, exist_ok=True)
    orders.tree.mkdir(parents=True, exist_ok=True)
    venv = orders.private / "venv"
    python = overlay.make_overlay(venv)
    if orders.records_commands:
        commands.prepare(orders, python)
    process = lab.start_lab(orders, python)
    tree = Tree(orders)
    try:
        tree.prepare()
    except GitError as error:
        print(f"The project's files could not be fetched: {error}", file=sys.stderr, flush=True)
        process.terminate()
        process.wait()
        return 1
    if not _answers(orders, process, end):
        return process.poll() or 1
    agent = Agent(orders, tree, venv, end)
    agent.beat()
    _install_again(orders, python)
    worker = threading.Thread(target=agent.run, name="agent")
    worker.start()
    while process.poll() is None and not end.wait(0.2):
        pass
    left = process.poll()
    end.set()
    worker.join()
    # First of all: whoever ends us may not wait for long.
    agent.save()
    code = _end(process)
    agent.save()
    agent.beat(is_end=True, ending="" if left is None else _why(left))
    # A signal has no exit code.
    return code if code >= 0 else 1


def _why(left: int) -> str:
    """Why Lab ended by itself."""
    if left >= 0:
        return f"JupyterLab ended by itself, with code {left}."
    return f"JupyterLab was ended by signal {-left} ({signal.Signals(-left).name}) that the platform did not send."


def _lacking() -> str:
    """What a session needs and a ready image need not have; empty where all is there."""
    for name, there in (
        ("JupyterLab", find_spec("jupyterlab")),
        ("ipykernel", find_spec("ipykernel")),
        ("Git", shutil.which("git")),
    ):
        if not there:
            return name
    return ""


def _answers(orders: Orders, process: subprocess.Popen[bytes], end: threading.Event) -> bool:
    """Wait until Lab answers; False where it ended, or is to end, before."""
    while process.poll() is None and not end.is_set():
        try:
            lab.ask(orders.socket, "/api/status")
        except (OSError, ValueError, http.client.HTTPException):
            time.sleep(LOOK_SECONDS)
        else:
            return True
    if process.poll() is None:
        process.terminate()
        process.wait()
    return False


def _install_again(orders: Orders, python: Path) -> None:
    """Have what was installed in the session before, in the background: people can work meanwhile."""
    if orders.packages:
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *orders.packages]
        subprocess.Popen(command, stdin=subprocess.DEVNULL)


def _end(process: subprocess.Popen[bytes]) -> int:
    """Let Lab end its kernels and itself; its exit code, 0 where we ended it."""
    if (code := process.poll()) is not None:
        return code
    process.terminate()
    try:
        process.wait(LAB_ENDS_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
