"""How far the start of a session is, in words for its page."""

from __future__ import annotations

from dataclasses import dataclass

from sessions.models import Session

_ORDER = ("queued", "placed", "starting", "running")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a start. `state` is done, running or queued, as badges show it."""

    title: str
    state: str
    detail: str = ""


def steps(session: Session) -> list[Step]:
    """The steps of the newest start, in order; none once it is over."""
    workload = session.workload
    if session.is_over:
        return []
    request = workload.environment_request
    has_environment = request is None or request.state == "ready"
    reached = _ORDER.index(workload.state) if workload.state in _ORDER else 0
    found = [
        ("Environment", has_environment, "" if has_environment else "Libraries are resolved and installed."),
        ("Host", reached >= 1, workload.waiting_reason if has_environment else ""),
        ("Process", reached >= 3, ""),
        ("JupyterLab", session.is_ready, ""),
    ]
    made, is_current = [], True
    for title, is_done, detail in found:
        state = "succeeded" if is_done else "running" if is_current else "queued"
        is_current = is_current and is_done
        made.append(Step(title, state, detail if state == "running" else ""))
    return made
