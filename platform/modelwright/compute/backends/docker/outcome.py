"""Says why a container ended: what the engine, the first process inside and the order to stop tell, put together.

What the first process wrote could be forged by the code that it ran. It is believed only where the engine's own exit
code agrees, and then it only adds detail.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from modelwright.compute.backends.base import Cause

KILLED = 137
POWER_CUT = 255
CREATED = "created"
# Ends of a first process that had no time to write its record: SIGKILL and SIGTERM.
BY_SIGNAL = (KILLED, 143)
UNDELIVERED = 125
STOPPED_OUTSIDE = (
    "Its container was told to stop, and not by the platform: the container engine was restarted, or somebody stopped "
    "the container by hand."
)
NEVER_BEGAN = "It was not started: the container engine was restarted at that moment."
NOT_STARTED = (126, 127)
Values = dict[str, Any]


@dataclass(frozen=True)
class EngineState:
    """How the engine describes a container that has ended."""

    exit_code: int
    oom_killed: bool = False
    error: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    # False: its start got lost with the engine that was to carry it out.
    began: bool = True

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> EngineState:
        """From `State` of `inspect`."""
        return cls(
            exit_code=int(state.get("ExitCode", 0)),
            oom_killed=bool(state.get("OOMKilled")),
            error=str(state.get("Error") or ""),
            started_at=moment(state.get("StartedAt")),
            finished_at=moment(state.get("FinishedAt")),
            began=state.get("Status") != CREATED or moment(state.get("FinishedAt")) is not None,
        )


def has_ended(state: Mapping[str, Any]) -> bool:
    """Whether the container of this `State` has run and runs no more.

    An engine that is killed before it has noted a start says "created" for ever, also of what ran and ended.
    """
    status = state.get("Status")
    return status in ("exited", "dead") or (status == CREATED and moment(state.get("FinishedAt")) is not None)


def moment(text: object) -> float | None:
    """Unix seconds of one of the engine's times, None for its zero time."""
    if not isinstance(text, str) or not text or text.startswith("0001"):
        return None
    return datetime.fromisoformat(text).timestamp()


def judge(
    state: EngineState, *, ending: Mapping[str, Any] | None, stop: Mapping[str, Any] | None, memory_bytes: int | None
) -> Values:
    """The values of a status record: cause, message, exit code, signal, peak memory and times."""
    ending = _believed(ending or {}, state.exit_code)
    code, number = _exit(state.exit_code, ending)
    values: Values = {
        "exit_code": code,
        "signal": number,
        "peak_memory_bytes": ending.get("peak_memory_bytes"),
        "started_at": state.started_at,
    }
    if state.finished_at is not None:
        values["finished_at"] = state.finished_at
    cause, message = _cause(state, ending, _in_time(stop, state), code, number, memory_bytes)
    return {**values, "cause": cause.value, "message": message}


def _believed(ending: Mapping[str, Any], exit_code: int) -> Values:
    peak, code, number = (ending.get(name) for name in ("peak_memory_bytes", "exit_code", "signal"))
    known: Values = {"peak_memory_bytes": peak} if isinstance(peak, int) and 0 < peak < 2**50 else {}
    if isinstance(number, int) and 0 < number < 65 and 128 + number == exit_code:
        known["signal"] = number
    elif code == exit_code:
        known["exit_code"] = code
    if isinstance(told := ending.get("told"), int) and told > 0:
        known["told"] = told
    for name, expected in (("problem", NOT_STARTED), ("undelivered", (UNDELIVERED,))):
        if isinstance(ending.get(name), str) and exit_code in expected:
            known[name] = ending[name][:2000]
    return known


def _exit(exit_code: int, ending: Values) -> tuple[int | None, int | None]:
    if "signal" in ending:
        return None, ending["signal"]
    if "exit_code" not in ending and exit_code in BY_SIGNAL:
        return None, exit_code - 128
    return exit_code, None


def _in_time(stop: Mapping[str, Any] | None, state: EngineState) -> Mapping[str, Any] | None:
    """An order to stop that came after the end explains nothing."""
    if stop is None or (state.finished_at is not None and float(stop.get("at", 0)) > state.finished_at):
        return None
    return stop


def _cause(
    state: EngineState,
    ending: Values,
    stop: Mapping[str, Any] | None,
    code: int | None,
    number: int | None,
    memory_bytes: int | None,
) -> tuple[Cause, str]:
    if stop is not None:
        return Cause(stop["cause"]), str(stop.get("message", ""))
    if not state.began:
        return Cause.LOST, NEVER_BEGAN
    if "problem" in ending:
        return Cause.FAILED, str(ending["problem"])
    if code == 0:
        # The engine's flag is set for any process that memory ran out for, also one that the workload coped with.
        return Cause.SUCCEEDED, ""
    if state.oom_killed:
        return Cause.OUT_OF_MEMORY, memory_message(memory_bytes)
    if "undelivered" in ending:
        return Cause.LOST, "It was not started: the platform's order did not reach its container."
    if "signal" not in ending and "exit_code" not in ending:
        if state.exit_code in NOT_STARTED:
            return Cause.FAILED, "Its image has no `python3` on its PATH: name an image that has one."
        return _without_record(state.exit_code)
    if "told" in ending:
        return Cause.LOST, STOPPED_OUTSIDE
    if number is not None:
        return Cause.FAILED, f"It was ended by signal {number} ({_name(number)}) that the platform did not send."
    return Cause.FAILED, f"It ended with exit code {code}."


def _without_record(exit_code: int) -> tuple[Cause, str]:
    if exit_code == POWER_CUT:
        return Cause.LOST, "The host lost power or was reset while it ran."
    if exit_code in BY_SIGNAL:
        return Cause.LOST, "Its container was killed from outside and left no record: the engine was restarted."
    return Cause.LOST, f"Its container ended with code {exit_code} and left no record of how."


def memory_message(limit: int | None) -> str:
    """What a person reads when memory ran out."""
    return "The host ran out of memory." if limit is None else f"It needed more than its memory limit of {_gib(limit)}."


def _gib(size: int) -> str:
    return f"{size / 2**30:.2f} GiB"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
