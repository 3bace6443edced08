"""Why a container ended, from what the engine, its first process and the platform's own order say."""

from __future__ import annotations

from typing import Any

import pytest

from modelwright.compute.backends.base import Cause
from modelwright.compute.backends.docker.outcome import EngineState, has_ended, judge

STOPPED = {"cause": "cancelled", "message": "Cancelled by ana.", "at": 150.0}
TIMED_OUT = {"cause": "timed_out", "message": "Too long.", "at": 150.0}


@pytest.mark.parametrize(
    ("code", "oom", "ending", "stop", "cause", "exit_code", "number"),
    [
        (0, False, {"exit_code": 0}, None, Cause.SUCCEEDED, 0, None),
        (3, False, {"exit_code": 3}, None, Cause.FAILED, 3, None),
        # Memory ran out for a child, and the job coped or did not.
        (0, True, {"exit_code": 0}, None, Cause.SUCCEEDED, 0, None),
        (1, True, {"exit_code": 1}, None, Cause.OUT_OF_MEMORY, 1, None),
        (137, True, {"signal": 9}, None, Cause.OUT_OF_MEMORY, None, 9),
        (137, True, None, None, Cause.OUT_OF_MEMORY, None, 9),
        # Killed inside is an end of the workload; without a word from inside it was the container.
        (137, False, {"signal": 9}, None, Cause.FAILED, None, 9),
        (137, False, None, None, Cause.LOST, None, 9),
        (255, False, None, None, Cause.LOST, 255, None),
        (255, False, {"exit_code": 255}, None, Cause.FAILED, 255, None),
        (143, False, None, None, Cause.LOST, None, 15),
        (143, False, None, TIMED_OUT, Cause.TIMED_OUT, None, 15),
        # Told to stop from outside and not by the platform: the engine was restarted.
        (143, False, {"signal": 15, "told": 1}, None, Cause.LOST, None, 15),
        (3, False, {"exit_code": 3, "told": 1}, None, Cause.LOST, 3, None),
        (0, False, {"exit_code": 0, "told": 1}, None, Cause.SUCCEEDED, 0, None),
        (143, False, {"signal": 15, "told": 0}, None, Cause.FAILED, None, 15),
        (143, False, {"signal": 15, "told": 1}, STOPPED, Cause.CANCELLED, None, 15),
        # The platform's own reason comes first, whatever the end looked like.
        (143, False, {"signal": 15}, STOPPED, Cause.CANCELLED, None, 15),
        (0, False, {"exit_code": 0}, STOPPED, Cause.CANCELLED, 0, None),
        (137, True, {"signal": 9}, TIMED_OUT, Cause.TIMED_OUT, None, 9),
        # Unless it came when all was over.
        (0, False, {"exit_code": 0}, {**STOPPED, "at": 201.0}, Cause.SUCCEEDED, 0, None),
        # A program that is missing, a script that says so itself, and an image without Python.
        (127, False, {"problem": "The command '/x' could not be started."}, None, Cause.FAILED, 127, None),
        (127, False, {"exit_code": 127}, None, Cause.FAILED, 127, None),
        (127, False, None, None, Cause.FAILED, 127, None),
        (125, False, {"undelivered": "x"}, None, Cause.LOST, 125, None),
        # What was forged does not agree with the engine.
        (1, False, {"exit_code": 0}, None, Cause.LOST, 1, None),
        (137, False, {"exit_code": 0, "signal": 0, "problem": "x"}, None, Cause.LOST, None, 9),
        (1, False, {"exit_code": "1", "peak_memory_bytes": "all"}, None, Cause.LOST, 1, None),
    ],
)
def test_the_cause_is_told_apart(
    code: int,
    oom: bool,
    ending: dict[str, Any] | None,
    stop: dict[str, Any] | None,
    cause: Cause,
    exit_code: int | None,
    number: int | None,
) -> None:
    state = EngineState(exit_code=code, oom_killed=oom, started_at=100.0, finished_at=200.0)
    values = judge(state, ending=ending, stop=stop, memory_bytes=2**30)
    assert (values["cause"], values["exit_code"], values["signal"]) == (cause.value, exit_code, number)
    assert bool(values["message"]) == (cause is not Cause.SUCCEEDED)
    assert (values["started_at"], values["finished_at"]) == (100.0, 200.0)


def test_the_engines_words_are_read() -> None:
    state = EngineState.of(
        {
            "ExitCode": 137,
            "OOMKilled": True,
            "StartedAt": "2026-01-01T00:00:00.123456789Z",
            "FinishedAt": "0001-01-01T00:00:00Z",
        }
    )
    assert (state.exit_code, state.oom_killed, state.finished_at) == (137, True, None)
    assert state.started_at == pytest.approx(1767225600.123456)


# As an engine described it (20.10) that was killed between the start and its note of it.
UNNOTED = {"Status": "created", "ExitCode": 143, "StartedAt": "0001-01-01T00:00:00Z"}


def test_an_engine_that_did_not_note_a_start_says_created_of_what_has_ended() -> None:
    state = {**UNNOTED, "FinishedAt": "2026-11-27T15:47:09.76140923Z"}
    assert has_ended(state)
    values = judge(EngineState.of(state), ending=None, stop=None, memory_bytes=None)
    assert (values["cause"], values["signal"]) == ("lost", 15)


def test_a_container_that_was_never_started_has_not_succeeded() -> None:
    state = {**UNNOTED, "ExitCode": 0, "FinishedAt": "0001-01-01T00:00:00Z"}
    assert not has_ended(state)
    values = judge(EngineState.of(state), ending={"exit_code": 0}, stop=None, memory_bytes=None)
    assert values["cause"] == "lost"
    assert "not started" in values["message"]
