"""`python -m modelwright_runtime.application COMMAND…`: an application until it ends, or until SIGTERM.

`COMMAND` is a script (`app.py`, run by this Python) or a program with its arguments (`streamlit run app.py`). It gets
the port to listen at from its environment; `MODELWRIGHT_APP_SOCKET` is the Unix socket at which it is reached.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

from modelwright_runtime.application import relay
from modelwright_runtime.application.variables import LOOPBACK, variables

ENDS_SECONDS = 5.0
EXIT_NO_COMMAND = 127


def main() -> int:
    """Run it; its exit code, 0 where we ended it."""
    words = sys.argv[1:]
    command = command_of(words)
    if not command:
        print(f"There is no program {words[:1]}: name a script, or a program of the project's packages.", flush=True)
        return EXIT_NO_COMMAND
    return asyncio.run(_run(command, Path(os.environ["MODELWRIGHT_APP_SOCKET"])))


def command_of(words: list[str]) -> list[str]:
    """The words of a command as they are run; nothing where there is no such program."""
    if not words:
        return []
    if words[0].endswith(".py"):
        return [sys.executable, "-u", *words]
    # Programs of the environment stand beside its Python.
    place = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    program = shutil.which(words[0], path=place)
    return [program, *words[1:]] if program else []


async def _run(command: list[str], path: Path) -> int:
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    port = free_port()
    environment = {**os.environ, **variables(port, os.environ.get("MODELWRIGHT_APP_URL", ""))}
    environment["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), environment.get("PATH", os.defpath)))
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdin=asyncio.subprocess.DEVNULL, start_new_session=True
    )
    serving = asyncio.ensure_future(relay.serve(path, LOOPBACK, port))
    over, asked = asyncio.ensure_future(process.wait()), asyncio.ensure_future(end.wait())
    await asyncio.wait({over, asked}, return_when=asyncio.FIRST_COMPLETED)
    serving.cancel()
    path.unlink(missing_ok=True)
    if over.done():
        print(f"The application ended with the exit code {over.result()}.", flush=True)
        return over.result() or 1
    await _end(process, over)
    return 0


async def _end(process: asyncio.subprocess.Process, over: asyncio.Future[int]) -> None:
    """Ask it and what it started to end, and end what does not."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(over), ENDS_SECONDS)
            return


def free_port() -> int:
    """A port of this machine that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
