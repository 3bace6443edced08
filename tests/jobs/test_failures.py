"""Ends that say nothing of the script are told as their host told them, each with what to do."""

from __future__ import annotations

import pytest

from jobs.failures import told_by_host
from modelwright.compute.backends.base import Cause
from modelwright.compute.backends.docker.outcome import EngineState, judge
from modelwright.compute.models import Workload


@pytest.mark.parametrize(
    ("state", "detail", "remedy"),
    [
        ("failed", "It wrote 21.00 GiB into its working folder; this host allows 20.00 GiB.", "Write less"),
        ("failed", "Workload x could not be started: the host does not have its image (no such image).", "load it"),
        ("failed", "The image 'a:1' is not one that this host allows. An administrator can add it.", "allow this one"),
        (
            "failed",
            "The command 'pythn' could not be started: No such file.",
            "Correct the program's name",
        ),
        ("lost", "The container engine of its host has not answered for 30 seconds.", "start the host's engine"),
        ("lost", "Host box has not been heard from; what became of it is not known.", "another host takes it"),
        ("lost", "Its container has disappeared: somebody removed it.", "Start it again"),
    ],
)
def test_each_has_its_own_remedy(state: str, detail: str, remedy: str) -> None:
    told = told_by_host(Workload(state=state, detail=detail, exit_code=137))
    assert told is not None
    assert told[0] == detail
    assert remedy in told[1]


@pytest.mark.parametrize("state", ["failed", "succeeded", "out_of_memory", "timed_out", "cancelled"])
def test_an_end_of_the_script_itself_is_not_the_hosts_to_tell(state: str) -> None:
    assert told_by_host(Workload(state=state, detail="It ended with exit code 3.", exit_code=3)) is None


@pytest.mark.parametrize(
    ("exit_code", "ending", "cause"),
    [(127, {}, Cause.FAILED), (137, {}, Cause.LOST), (255, {}, Cause.LOST)],
)
def test_what_the_engine_tells_of_an_end_without_a_record_is_explained(
    exit_code: int, ending: dict[str, object], cause: Cause
) -> None:
    values = judge(EngineState(exit_code), ending=ending, stop=None, memory_bytes=None)
    assert values["cause"] == cause
    told = told_by_host(Workload(state=values["cause"], detail=values["message"], exit_code=exit_code))
    assert told is not None
    assert told[1]
