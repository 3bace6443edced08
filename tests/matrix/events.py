"""Sinks of the matrix's project: one with something that it did not take, one that is paused; two of its workspace."""

from __future__ import annotations

from typing import Any

from models.events.models import DeadLetter
from models.events.services import create_sink, pause_sink
from modelwright.accounts.actors import Actor
from modelwright.core.ids import new_id
from projects.models import Project

SYSTEM = Actor.system("tests")


def add_sink(project: Project) -> dict[str, Any]:
    """What the addresses of sinks name."""
    sink, _ = create_sink(project, name="lake", url="https://events.example.org/in", acting_user=SYSTEM)
    DeadLetter.objects.create(
        sink=sink,
        position=1,
        event_id="x.answer",
        type="io.modelwright.answer",
        kind="prediction",
        thing_id=new_id(),
        key="x",
        state="dead",
        reason="It answered 400.",
    )
    paused, _ = create_sink(project, name="pond", url="https://events.example.org/in", acting_user=SYSTEM)
    pause_sink(paused, acting_user=SYSTEM)
    for name in ("archive", "warehouse"):
        create_sink(project.workspace, name=name, url="https://events.example.org/in", acting_user=SYSTEM)
    return {"sink_id": sink.pk, "paused_sink_id": paused.pk}
