"""Why a run ended as it did, in words, with what to do next."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from jobs.models import Run
from modelwright.compute.models import GIB, Workload
from modelwright.compute.selectors import log_tail
from modelwright.core.looks import duration

TAIL_LINES = 20
_EXCEPTION = re.compile(r"^([A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Warning|Refused|Failed)\b.*)$")
_MODULE = re.compile(r"No module named '([\w.]+)'")


@dataclass(frozen=True, slots=True)
class Cause:
    """How a run ended. `message` says why, `remedy` what to do, `tail` are the last lines of its log."""

    state: str
    message: str
    remedy: str
    tail: str


def explain(run: Run) -> Cause | None:
    """The cause of an ended run that did not succeed, else None."""
    workload = run.workload
    if not run.is_over or workload.state == "succeeded":
        return None
    tail = log_tail(workload, TAIL_LINES)
    message, remedy = told_by_host(workload) or _EXPLAIN[workload.state](workload, tail)
    return Cause(workload.state, message, remedy, tail)


# What hosts say of an end that is not the script's own doing, and what to do about it.
_TOLD = (
    (r"working folder; this host allows", "Write less into it, or delete what is not needed any more while it runs."),
    (r"has no `python3` on its PATH", "Name an image that has Python 3.8 or newer, or leave the image out."),
    (r"does not have its image", "Name an image that the host has, or have an administrator load it there."),
    (r"not one that this host allows", "Name another image, or have an administrator allow this one on the host."),
    (r"^The command .* could not be started", "Correct the program's name, or choose an image that has it."),
    (r"engine of its host has not answered", "An administrator should start the host's engine. Then start it again."),
    (r"engine was restarted", "Start it again. If it happens again, an administrator should look at the engine."),
    (r"container has disappeared", "Start it again. Nobody but the platform should remove its containers."),
    (r"host lost power", "Start it again. If it happens again, an administrator should look at the host."),
    (r"has not been heard from", "Start it again: another host takes it. With retries, the job does that by itself."),
)


def told_by_host(workload: Workload) -> tuple[str, str] | None:
    """(why, what to do) when its host told of an end that says nothing of the script, else None."""
    if workload.state not in ("failed", "lost"):
        return None
    if workload.environment is not None and "does not have its image" in workload.detail:
        return workload.detail.strip().split("\n")[0], "Start it again: that builds the image of its environment anew."
    for pattern, remedy in _TOLD:
        if re.search(pattern, workload.detail):
            return workload.detail.strip().split("\n")[0], remedy
    return None


def _failed(workload: Workload, tail: str) -> tuple[str, str]:
    if workload.started_at is None and workload.exit_code is None and workload.signal is None:
        text, _, remedy = (workload.detail or "It could not be started.").strip().rpartition("\n")
        return (text, remedy) if text else (remedy, "Correct what it says, commit, and start it again.")
    if workload.signal:
        return _killed(workload)
    code = f"The script ended with exit code {workload.exit_code}."
    error = next((m[1] for line in reversed(tail.splitlines()) if (m := _EXCEPTION.match(line.strip()))), "")
    if missing := _MODULE.search(error):
        package = missing[1].partition(".")[0]
        return f"{code} {error}", f"Add {package} to the project's requirements.txt, commit, and start it again."
    if error:
        return f"{code} {error[:500]}", "Read the traceback in the log, correct the script, commit, start it again."
    return code, "Read the last lines of the log, correct the script, commit, and start it again."


def _killed(workload: Workload) -> tuple[str, str]:
    try:
        name = signal.Signals(workload.signal or 0).name
    except ValueError:
        name = f"signal {workload.signal}"
    message = f"The script's process was killed by {name}."
    if workload.signal == signal.SIGSEGV:
        return (
            message,
            "A compiled library crashed. Try another version of it, or set PYTHONFAULTHANDLER=1 to see where.",
        )
    if workload.signal == signal.SIGKILL:
        return message, "Somebody on the host killed it, or the host ran out of memory. Start it again."
    return message, "Somebody on the host, or the script itself, sent it. Start it again."


def _out_of_memory(workload: Workload, _: str) -> tuple[str, str]:
    limit = f"{workload.memory_bytes / GIB:.3g} GiB"
    peak = f" It had used {workload.peak_memory_bytes / GIB:.3g} GiB." if workload.peak_memory_bytes else ""
    return (
        f"It used more memory than its limit of {limit} and was stopped.{peak}",
        "Choose a larger profile, or read the data in parts.",
    )


def _timed_out(workload: Workload, _: str) -> tuple[str, str]:
    limit = duration(workload.timeout_seconds or 0)
    return (
        f"It ran longer than its limit of {limit} and was stopped.",
        "Give the job a longer timeout, a larger profile, or less to do.",
    )


def _cancelled(workload: Workload, _: str) -> tuple[str, str]:
    who = workload.cancel_requested_by
    return (
        f"{who} cancelled it." if who else workload.detail or "It was cancelled.",
        "Start it again if it is still wanted.",
    )


def _lost(workload: Workload, _: str) -> tuple[str, str]:
    message, _, remedy = workload.detail.partition("\n")
    if remedy:
        return message, remedy
    host = workload.host.name if workload.host else "its host"
    return (
        f"Its process on {host} is gone and left no result: the host was restarted, or its supervisor was killed. "
        f"{workload.detail}".strip(),
        "Start it again. If it happens again, an administrator should look at the host.",
    )


_EXPLAIN = {
    "failed": _failed,
    "out_of_memory": _out_of_memory,
    "timed_out": _timed_out,
    "cancelled": _cancelled,
    "lost": _lost,
}
